/** The numbers of a block whose class, or only whose tensor names, are known. */
import type { BlockPhase } from '../../../model/blocks.js';
import { asConfig, textConfig, type AnyConfig } from '../../models/model-config.js';
import type { ModelClass } from '../../models/read-model-table.js';
import { activationElements, pictureElements } from './activations.js';
import { CROSS_KEYS, entryOf, isPlain, sizesOf, type SizedIn, type Sizes } from './block-sizes.js';
import { cacheShape, keepsOfOnePass, NO_CACHE } from './cache-shape.js';
import { expertsOf } from './experts.js';
import { BLOCK, TABLE, type TensorGroup } from './generic-groups.js';
import { keepsItsDtype, loadedBytesOf } from '../loaded-dtype.js';
import { NO_MASKS, maskElements } from './mask-elements.js';
import { partOfTower } from './tower-pictures.js';
import { scoreElements, writtenTower } from './score-elements.js';
import { keptElements } from './kept-elements.js';
import { keptResults } from './kept-results.js';
import { keptLevels } from '../kept-levels.js';
import type { BlockRun, ProfileBlock, TorchCalls } from '../model-profile.js';
import { isTowerInText, tokensOfOnePass, towerPart } from './one-pass-tokens.js';
import { WITHOUT_PATCHES, patchesLeft, patchesPerToken, stemElements } from './picture-patches.js';
import { soundElements, type FixedSound } from './sound-elements.js';
import type { Workload } from '../workload/workload.js';
import { isWithin, parentOf } from '../../map/module-paths.js';

export interface BlockContext extends SizedIn {
  readonly workload: Workload;
  /** null for a class that is not known. */
  readonly cls: ModelClass | null;
  /** Whether a decoder has the encoder's tokens beside its own, without attention apart for those. */
  readonly mergesAttention: boolean;
  /** Group -> bytes of buffers that no file holds. */
  readonly bufferBytes: ReadonlyMap<string, number>;
  /** Whether a map may stream some modules of a block and leave others on the GPU. */
  readonly cutsLayers: boolean;
  /** Whether boxes tell all scores a bias, as in LayoutLMv3. */
  readonly hasBoxes: boolean;
  /** Rows of a tower for one picture, by its part of the configuration: as many as it learned places; 0 where a prompt's tokens tell. */
  readonly rowsOfPicture: (part: AnyConfig) => number;
  readonly sound: FixedSound | null;
  /** Whether there is no GPU to run on. */
  readonly onCpu: boolean;
  /** Tables that heads are tied to which are no groups of their own. */
  readonly headTables: ReadonlySet<string>;
  readonly isKept: ((tensor: string) => boolean) | undefined;
  /** Weight -> elements that are there while its product runs, for all pictures of a call. */
  readonly pictureElements: ReadonlyMap<string, number>;
  /** Groups that need a key of their own, whatever in them has one. */
  readonly heldTogether: ReadonlySet<string>;
  /** Whether a quantised module cannot wait in host memory or on disk. */
  readonly quantizedStores: readonly ('cpu' | 'disk')[] | null;
}

/** By itself: runs where a token has chosen it, and is copied only then. */
export const SINGLE_EXPERT = /\.(experts|routed_experts)\.\d+$/;

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
  const length = phase === 'prompt' ? tokensOfOnePass(name, cls, config, workload) : promptTokens;
  // Where an encoder takes the prompt, the decoder begins with one token.
  const begun = cls?.encodes === true ? 1 : length;
  const elementBytes = rules.dtype === 'float32' ? 4 : 2;
  // Of a picture that a prompt has none of, as Mllama's.
  const pictured =
    cls?.use === 'picture' && !cls.encodes ? context.rowsOfPicture(asConfig(config['vision_config'])) : 0;
  const encoded = Math.max(promptTokens, pictured);
  const sequence = { prompt: begun, encoded, total: begun + newTokens };
  const kept = keptElements(cache, sequence, elementBytes, engine);
  const isTable = TABLE.test(name) && !isHead && !context.headTables.has(name);
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
  const isInText = isTowerInText(name, cls, config);
  const isTower = (phase === 'image' || isInText) && !WITHOUT_PATCHES.test(name);
  const perToken = isTower ? patchesPerToken(config, name) : phase === 'prompt' ? patchesLeft(config, name) : 1;
  const tower = isTower ? partOfTower(name, config) : null;
  const { sound } = context;
  const least =
    tower !== null ? context.rowsOfPicture(tower) : sound !== null && isWithin(name, sound.path) ? sound.frames : 0;
  const rowsOnce = Math.max(Math.ceil(length * perToken), least);
  const onceRows = batch * (cls === null ? 1 : rowsOnce);
  const runs =
    phase === 'token' ? [run('prompt', 1, promptRows), run('token', newTokens - 1, rows)] : [run(phase, 1, onceRows)];
  const longest = phase === 'token' && !isHead ? begun : phase === 'prompt' ? length : 1;
  const widestRows = phase === 'token' ? Math.max(promptRows, batch) : onceRows;
  const activations = (): number => {
    if (isTable) return Math.max(2 * widestRows * read.rowWidth, stemElements(name, widestRows, config));
    const called = { tokens: widestRows, sequences: phase === 'token' ? rows : batch, length: longest };
    if (isTower) {
      const written = writtenTower(tower ?? {});
      const scores = written === null ? 0 : scoreElements({ ...called, length: rowsOnce }, held, written);
      return Math.max(pictureElements(widestRows, read, held, config), Math.ceil(scores));
    }
    const { hasBoxes, onCpu } = context;
    const isEager = cls?.isEager === true && phase !== 'image';
    const attending = { text: towerPart(name, cls, config) ?? textConfig(config), isEager, hasBoxes, onCpu };
    const isMasked = cls !== null && sound === null && BLOCK.test(`${name}.`) && !isHead;
    const masks = isMasked ? maskElements(name, called, cls, attending.text, elementBytes) : NO_MASKS;
    const others = activationElements(called, read, held, { ...attending, maskPerToken: masks.perToken }, elementBytes);
    const sounds = phase === 'prompt' ? soundElements(name, widestRows, config) : 0;
    return Math.max(others, Math.ceil(masks.made), sounds);
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
    cacheElements: rows * (kept.most + keptResults(name, cls, config, workload)),
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

/** Between OPT's layers (10 modules and 15 launches for 8 leaves) and LLaMA's (12 and 40 for 9). */
function likelyCalls(leaves: number): TorchCalls {
  return leaves === 1 ? { modules: 1, launches: 1 } : { modules: leaves + 2, launches: 3 * leaves };
}

/** The share of experts that one token is sent to. */
function activeShare(text: AnyConfig): number {
  const experts = expertsOf(text);
  return experts === null ? 1 : experts.chosen / experts.all;
}
