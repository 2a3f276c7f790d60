/** The numbers of a block whose class, or only whose tensor names, are known. */
import { elementCount, type TensorInfo, type TensorTable } from '../../../tensor/tensor-info.js';
import type { BlockPhase } from '../../../model/blocks.js';
import { numberOf, textConfig, type AnyConfig } from '../../models/model-config.js';
import type { ModelClass } from '../../models/read-model-table.js';
import { activationElements, pictureElements, type BlockWidths } from './activations.js';
import { cacheShape, keepsOfOnePass, NO_CACHE } from './cache-shape.js';
import { EXPERTS, expertsOf } from './experts.js';
import { BLOCK, TABLE, type TensorGroup } from './generic-groups.js';
import { keepsItsDtype, loadedBytes, loadedBytesOf, type DtypeRules } from '../loaded-dtype.js';
import { keptElements } from './kept-elements.js';
import { keptLevels } from '../kept-levels.js';
import type { BlockRun, ProfileBlock, TorchCalls } from '../model-profile.js';
import type { Engine } from '../../map/engine.js';
import { WITHOUT_PATCHES, patchesLeft, patchesPerToken, stemElements } from './picture-patches.js';
import { soundElements } from './sound-elements.js';
import type { Workload } from '../workload/workload.js';
import { parentOf } from '../../map/module-paths.js';

export interface BlockContext {
  readonly tensors: TensorTable;
  readonly rules: DtypeRules;
  readonly workload: Workload;
  readonly engine: Engine;
  readonly config: AnyConfig;
  /** null for a class that is not known. */
  readonly cls: ModelClass | null;
  /** Whether a decoder has the encoder's tokens beside its own, without attention apart for those. */
  readonly mergesAttention: boolean;
  /** Of what a file holds, what accelerate puts on the GPU that runs it, wherever the map has it. */
  readonly isBuffer: (name: string) => boolean;
  /** Group -> bytes of buffers that no file holds. */
  readonly bufferBytes: ReadonlyMap<string, number>;
  /** Whether a map may stream some modules of a block and leave others on the GPU. */
  readonly cutsLayers: boolean;
  readonly isKept: ((tensor: string) => boolean) | undefined;
  /** Weight -> elements that are there while its product runs, for all pictures of a call. */
  readonly pictureElements: ReadonlyMap<string, number>;
  /** Groups that need a key of their own, whatever in them has one. */
  readonly heldTogether: ReadonlySet<string>;
  /** Whether a quantised module cannot wait in host memory or on disk. */
  readonly quantizedStores: readonly ('cpu' | 'disk')[] | null;
}

const CROSS_KEYS =
  /\.(EncDecAttention|encoder_attn|cross_attn|crossattention|encoder_decoder_attention)\.((self|attention)\.)?(k|v|k_proj|v_proj|key_proj|value_proj|key|value|c_attn)\./;
/** By itself: runs where a token has chosen it, and is copied only then. */
export const SINGLE_EXPERT = /\.(experts|routed_experts)\.\d+$/;

const LOOKED_UP = /embed/i;
/** Of pairs of places in a window: no token is multiplied with these. */
const OF_PLACES = /\.(relative_position_bias_table$|continuous_position_bias_mlp\.)/;
const CONVOLUTION = /conv/i;

interface Sizes extends BlockWidths {
  readonly leaves: ReadonlyMap<string, number>;
  readonly weightBytes: number;
  readonly bufferBytes: number;
  readonly elements: number;
  readonly expertBytes: number;
  /** Bytes and modules that only the first token needs. */
  readonly crossBytes: number;
  readonly crossLeaves: number;
}

export function genericBlock(group: TensorGroup, context: BlockContext): ProfileBlock {
  const { name, tensors: names, phase, isHead } = group;
  const { workload, rules, config, cls, engine } = context;
  const { batch, beams, promptTokens, newTokens } = workload;
  const sizes = sizesOf(names, context);
  const read = group.reads.length === 0 ? sizes : sizesOf(names, context, group.reads);
  const held = new Map([...names, ...group.reads].flatMap((each) => entryOf(each, context.tensors)));
  const keeps = phase === 'token' ? !isHead : keepsOfOnePass(name, cls, config);
  const shape = keeps ? cacheShape(name, held, config) : NO_CACHE;
  const cache = context.mergesAttention ? { ...shape, perEncoded: shape.perToken } : shape;
  const rows = batch * beams;
  // Where an encoder takes the prompt, the decoder begins with one token.
  const begun = cls?.encodes === true ? 1 : promptTokens;
  const elementBytes = rules.dtype === 'float32' ? 4 : 2;
  const sequence = { prompt: begun, encoded: promptTokens, total: begun + newTokens };
  const kept = keptElements(cache, sequence, elementBytes, engine);
  const isTable = TABLE.test(name) && !isHead;
  const experts = activeShare(textConfig(config));
  const isSingle = SINGLE_EXPERT.test(name);
  const levels = levelsOf(group, sizes, context);
  const keptOf = (level: ReadonlySet<string>, isNeeded: (tensor: string) => boolean) => {
    const stay = [...level].filter(isNeeded);
    return { bytes: loadedBytesOf(stay, context.tensors, rules), leaves: new Set(stay.map(parentOf)).size };
  };
  const run = (kind: BlockPhase, runs: number, tokens: number): BlockRun => {
    const chance = isSingle ? 1 - (1 - experts) ** tokens : 1;
    // Of experts, those that some token chooses are read; a copy takes them all.
    const idleBytes = read.expertBytes * (1 - experts) ** tokens;
    const active = read.elements - read.expertElements * (1 - experts);
    const firstOnly = kind === 'token' ? read.crossBytes : 0;
    const copied = read.weightBytes - read.bufferBytes - firstOnly;
    return {
      phase: kind,
      runs,
      copies: runs * chance,
      flops: isTable ? 0 : 2 * active * tokens,
      quantizedBytes: 0,
      readBytes: isTable
        ? Math.min(copied, tokens * read.rowWidth * elementBytes)
        : copied + read.bufferBytes - idleBytes,
      streamedBytes: copied,
      stateBytes:
        kind === 'token' ? (rows * kept.read * elementBytes * (begun + newTokens / 2)) / (begun + newTokens) : 0,
      leaves: (read.leaves.size - (kind === 'token' ? read.crossLeaves : 0)) * chance,
      kept: levels.map((level) => keptOf(level, (tensor) => kind !== 'token' || !CROSS_KEYS.test(tensor))),
      torch: likelyCalls(read.leaves.size),
      outputElements: tokens * read.rowWidth,
    };
  };
  // Most classes of transformers make logits of a prompt's last token only.
  const promptRows = isHead && cls?.makesAllLogits !== true ? rows : rows * begun;
  const isTower = phase === 'image' && !WITHOUT_PATCHES.test(name);
  const perToken = isTower ? patchesPerToken(config, name) : phase === 'prompt' ? patchesLeft(config, name) : 1;
  const onceRows = batch * (cls === null ? 1 : Math.ceil(promptTokens * perToken));
  const runs =
    phase === 'token' ? [run('prompt', 1, promptRows), run('token', newTokens - 1, rows)] : [run(phase, 1, onceRows)];
  const longest = phase === 'token' && !isHead ? begun : phase === 'prompt' ? promptTokens : 1;
  const widestRows = phase === 'token' ? Math.max(promptRows, batch) : onceRows;
  const activations = (): number => {
    if (isTable) return Math.max(2 * widestRows * read.rowWidth, stemElements(name, widestRows, config));
    if (isTower) return pictureElements(widestRows, read, held, config);
    const called = { tokens: widestRows, sequences: phase === 'token' ? rows : batch, length: longest };
    const others = activationElements(called, read, held, {
      text: textConfig(config),
      isEager: cls?.isEager === true && phase !== 'image',
      elementBytes,
    });
    return Math.max(others, phase === 'prompt' ? soundElements(name, widestRows, config) : 0);
  };
  return {
    name,
    kind: BLOCK.test(`${name}.`) ? 'block' : 'module',
    phase,
    tensors: names,
    weightBytes: sizes.weightBytes,
    // Engines that run other models than BLIP-2 on a CPU keep their dtype there.
    float32Bytes: sizes.weightBytes,
    scheme: null,
    forms: new Map(),
    lookUp: null,
    streamedWithBytes: null,
    bufferBytes: context.bufferBytes.get(name) ?? 0,
    ...(sizes.bufferBytes === 0 ? {} : { savedBufferBytes: sizes.bufferBytes }),
    stores: storesOf(group, context),
    ...(group.lacks === null ? {} : { lacks: group.lacks }),
    ...(group.onMainGpu ? { onMainGpu: true } : {}),
    ...(group.joins ? { joins: true } : {}),
    ...(group.shares.length === 0 ? {} : { shares: group.shares }),
    kept: levels.map((level) => ({ tensors: [...level], bytes: keptOf(level, () => true).bytes })),
    largestLeafBytes: Math.max(0, ...read.leaves.values()),
    cacheElements: rows * kept.most,
    activationElements: Math.max(activations(), ...names.map((tensor) => context.pictureElements.get(tensor) ?? 0)),
    waitingBytes: 0,
    elementBytes,
    runs: runs.filter((each) => each.runs > 0),
    bond: group.bond,
    extraInputs: [],
    hostTraffic: { transfers: 0, elements: 0 },
  };
}

const WHOLE: readonly ReadonlySet<string>[] = [new Set()];

/** What of a group may stay on the GPU where transformers streams the rest; nothing where a key for the group means more than those below it. */
function levelsOf(
  { name, tensors, bond, stays, lacks, reads }: TensorGroup,
  { bufferBytes }: Sizes,
  context: BlockContext,
): readonly ReadonlySet<string>[] {
  const isFree = bond === null && !stays && lacks === null && reads.length === 0 && bufferBytes === 0;
  if (!context.cutsLayers || !isFree || context.heldTogether.has(name)) return WHOLE;
  const bytesOf = (tensor: string) => loadedBytesOf([tensor], context.tensors, context.rules);
  const parts = tensors.map((tensor) => ({ name: tensor, module: parentOf(tensor), bytes: bytesOf(tensor) }));
  return keptLevels(name, parts, context.isKept);
}

/** Where a block may wait, by what transformers does with it there. */
function storesOf({ tensors: names, stays, lacks }: TensorGroup, context: BlockContext): readonly ('cpu' | 'disk')[] {
  const { engine, rules, tensors, quantizedStores } = context;
  if (engine !== 'transformers') return ['cpu', 'disk'];
  if (stays) return [];
  if (quantizedStores !== null && names.some((name) => !isPlain(tensors.get(name)))) return quantizedStores;
  const keeps = names.some((name) => keepsItsDtype(name, tensors.get(name)?.dtype ?? 'F32', rules));
  return keeps || lacks !== null ? ['cpu'] : ['cpu', 'disk'];
}

const isPlain = (info: TensorInfo | undefined): boolean =>
  info === undefined || ['F64', 'F32', 'F16', 'BF16', 'I64', 'BOOL'].includes(info.dtype);

/** @param reads tensors of other groups that it multiplies with, too */
function sizesOf(
  names: readonly string[],
  { tensors, rules, config, isBuffer, engine }: BlockContext,
  reads: readonly string[] = [],
): Sizes {
  const leaves = new Map<string, number>();
  const crossLeaves = new Set<string>();
  const total = { weightBytes: 0, bufferBytes: 0, elements: 0, expertBytes: 0, expertElements: 0, crossBytes: 0 };
  let widest = 0;
  let rowWidth = 0;
  let isPacked = false;
  const own = new Set(names);
  for (const [name, info] of [...names, ...reads].flatMap((each) => entryOf(each, tensors))) {
    const bytes = loadedBytes(name, info, rules);
    const elements = elementCount(info.shape);
    const leaf = parentOf(name) || name;
    const stays = engine === 'transformers' && isBuffer(name);
    leaves.set(leaf, (leaves.get(leaf) ?? 0) + (stays ? 0 : bytes));
    total.weightBytes += bytes;
    if (stays) total.bufferBytes += bytes;
    total.elements += elements;
    if (EXPERTS.test(name)) {
      total.expertBytes += bytes;
      total.expertElements += elements;
    }
    if (CROSS_KEYS.test(name)) {
      total.crossBytes += bytes;
      crossLeaves.add(leaf);
    }
    // Rows are looked up of a table: its width is that of what comes out, not of a product.
    if (elements === Math.max(1, ...info.shape)) continue;
    if ((names.length > 1 && own.has(name) && LOOKED_UP.test(leaf)) || OF_PLACES.test(name)) continue;
    if (isPlain(info)) {
      // Of several matrices in one tensor, the last two sides; of a convolution, channels, and not the sides of what slides.
      const isConvolution = info.shape.length > 3 || (info.shape.length === 3 && CONVOLUTION.test(name));
      const sides = isConvolution ? info.shape.slice(0, 2) : info.shape.slice(-2);
      widest = Math.max(widest, ...sides);
      rowWidth = Math.max(rowWidth, isConvolution ? Math.max(...sides) : (sides.at(-1) ?? 0));
    } else isPacked = true;
  }
  if (isPacked) {
    // What is packed does not show its sides.
    const text = textConfig(config);
    rowWidth = Math.max(rowWidth, numberOf(text, 'hidden_size', 'n_embd', 'd_model') ?? 0);
    widest = Math.max(widest, rowWidth, numberOf(text, 'intermediate_size', 'n_inner', 'd_ff') ?? 0);
  }
  return { leaves, ...total, crossLeaves: crossLeaves.size, widest, rowWidth };
}

/** Between OPT's layers (10 modules and 15 launches for 8 leaves) and LLaMA's (12 and 40 for 9). */
function likelyCalls(leaves: number): TorchCalls {
  return leaves === 1 ? { modules: 1, launches: 1 } : { modules: leaves + 2, launches: 3 * leaves };
}

/** The share of experts that one token is sent to. */
function activeShare(text: AnyConfig): number {
  const experts = expertsOf(text);
  return experts === null ? 1 : experts.chosen / experts.all;
}

function entryOf(name: string, tensors: TensorTable): [string, TensorInfo][] {
  const info = tensors.get(name);
  return info === undefined ? [] : [[name, info]];
}
