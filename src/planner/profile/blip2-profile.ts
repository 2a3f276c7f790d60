/** The profile of a BLIP-2 checkpoint: its blocks from `config.json`, their bytes from the tensors that are really there. */
import { isRetrieval, type ModelConfig } from '../../model/blip2-config.js';
import { blip2Blocks, type Block, type BlockKind } from '../../model/blocks.js';
import { quantizableWeights } from '../../model/quantizable-weights.js';
import { checkLayerCounts } from '../../model/layer-counts.js';
import { checkTensorNames } from '../../model/tensor-names.js';
import { QUANT_SCHEMES, type QuantScheme } from '../../tensor/quantized.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import {
  checkTensors,
  languageFamily,
  ownTensors,
  sample,
  TOKEN_TABLES,
  vocabularyTable,
  type VocabularyTable,
} from './blip2-owners.js';
import { loadedDtype, type DtypeRules } from './loaded-dtype.js';
import type { LoadDtype } from '../../tensor/load-dtype.js';
import type { BlockRun, ModelProfile, ProfileBlock } from './model-profile.js';
import type { Engine } from '../map/engine.js';
import { largestLeaf, quantizedSizes, sizesOf, type TensorSize } from './tensor-sizes.js';
import { storesOf } from './block-stores.js';
import { LAYERS, withStreamedGroups } from './streamed-groups.js';
import { blip2Work } from './work/blip2-work.js';
import type { BlockWork, RunCost } from './work/block-work.js';
import type { Workload } from './workload.js';

export interface Blip2ProfileOptions {
  readonly dtype: LoadDtype;
  readonly overrides?: ReadonlyMap<string, LoadDtype>;
  readonly workload: Workload;
  readonly engine: Engine;
  /** Schemes that blocks may be quantised with. Default none. */
  readonly schemes?: readonly QuantScheme[];
}

/** What the Q-Former starts from. */
const QUERY_INPUTS: ReadonlySet<BlockKind> = new Set<BlockKind>([
  'query-tokens',
  'qformer-norm',
  'qformer-embeddings',
  'text-embeddings',
]);
const CROSS_KEYS = /\.EncDecAttention\.[kv]\./;

/**
 * @throws Blip2Error `TENSORS_PREFIXED` where the names are those of a wrapper, `CONFIG_MISMATCH` where there are more layers
 * than the configuration says, `TENSORS_MISSING` where the checkpoint lacks tensors that the configuration needs, and
 * `TENSOR_SHAPE` where one has another shape than the configuration says.
 */
export function blip2Profile(
  tensors: ReadonlyMap<string, TensorInfo>,
  config: ModelConfig,
  options: Blip2ProfileOptions,
): ModelProfile {
  checkTensorNames(tensors);
  checkLayerCounts(tensors, config);
  const { dtype, workload, engine, schemes = [] } = options;
  const rules: DtypeRules = {
    dtype,
    // transformers computes an InstructBLIP's Q-Former in the model's dtype; this engine computes each in float32.
    blip2: engine === 'transformers' && isInstructed(config) ? 'instructblip' : 'blip-2',
    ...(options.overrides === undefined ? {} : { overrides: options.overrides }),
  };
  const blocks = blip2Blocks(config);
  const table = vocabularyTable(tensors, config);
  const { byBlock, unknown } = ownTensors(tensors, blocks, table);
  checkTensors(tensors, config, table);
  // Both names of one OPT table may be in a file; which bytes differ cannot be seen from headers, so they stay together.
  // transformers 5 takes T5's for tied as well: it compares the two when it loads them, and fails where they are apart.
  const family = languageFamily(config);
  const bonded = !table.ownHead || family === 'opt' || (family === 't5' && engine === 'transformers');
  const context = { config, workload, engine };
  // Logits of several rows are made with the head as floats, beside which a quantised one would only take room.
  const keepsHead = workload.batch * workload.beams > 1;

  const profileBlocks = blocks.map((block): ProfileBlock => {
    const names = byBlock.get(block.name) ?? [];
    const own = sizesOf(tensors, names, rules);
    const sharesTable = block.kind === 'head' && !table.ownHead;
    const work = blip2Work(block, context);
    // The head of a tied model reads the token table, which the first block of the bond already holds.
    const tied = sharesTable ? sizesOf(tensors, [table.name], rules) : own;
    const lookUp = lookUpOf(block, table, engine);
    const bond = bondOf(block, bonded);
    const stores = storesOf(block, names, tensors, rules, engine);
    // A Q-Former layer stays in one piece.
    const isKept = engine === 'transformers' && LAYERS.has(block.kind) ? keptOf(block.name, tied) : () => false;
    const stored = (sizes: readonly TensorSize[], read: readonly TensorSize[], scheme: QuantScheme | null) => ({
      name: block.name,
      kind: block.kind,
      phase: block.phase,
      tensors: names,
      weightBytes: bytesOf(sizes),
      float32Bytes: sizes.reduce((sum, { float32Bytes }) => sum + float32Bytes, 0),
      scheme,
      forms: new Map<QuantScheme, ProfileBlock>(),
      lookUp,
      bufferBytes: 4 * work.constantElements,
      stores,
      keptTensors: read.filter(isKept).map(({ name }) => name),
      keptBytes: bytesOf(read.filter(isKept)),
      largestLeafBytes: largestLeaf(read),
      streamedWithBytes: null,
      cacheElements: work.cacheElements,
      activationElements: work.activationElements + dequantizedElements(block, sizes, workload),
      waitingBytes: 4 * work.waiting.float32Elements + (dtype === 'float32' ? 4 : 2) * work.waiting.elements,
      elementBytes: elementBytes(block, dtype, rules),
      runs: work.runs.map((run) => blockRun(run, work, read, rules, lookUp !== null, isKept)),
      bond,
      extraInputs: work.extraInputs,
      hostTraffic: work.hostTraffic,
    });
    const floats: ProfileBlock = stored(own, tied, schemeOf(names));
    if (schemes.length === 0) return floats;
    const held = new Map(
      names.flatMap((name) => {
        const info = tensors.get(name);
        return info === undefined ? [] : [[name, info] as const];
      }),
    );
    const weights = quantizableWeights(block, config, held, table.name);
    const followsHead = bond !== null && TOKEN_TABLES.has(block.kind);
    if (weights.length === 0 && !followsHead) return floats;
    const quantized = (scheme: QuantScheme): ProfileBlock => {
      // A head with weights of its own leaves the table to be looked up and nothing else.
      if (followsHead) return { ...floats, lookUp: 'rows' };
      const sizes = quantizedSizes(own, weights, scheme, tensors, rules);
      return stored(sizes, sizes, scheme);
    };
    const staysFloat = keepsHead && (block.kind === 'head' || TOKEN_TABLES.has(block.kind));
    return { ...floats, staysFloat, forms: new Map(schemes.map((scheme) => [scheme, quantized(scheme)])) };
  });

  return {
    family: 'blip2',
    dtype,
    workload,
    engine,
    blocks: engine === 'blip2-run' ? withStreamedGroups(profileBlocks, workload.encoded !== undefined) : profileBlocks,
    aliases: aliasesOf(config, tensors),
    weightBytes: profileBlocks.reduce((sum, block) => sum + block.weightBytes, 0),
    assumptions: [],
    warnings:
      unknown.length === 0
        ? []
        : [`${unknown.length} tensors are in no module of this model and are left out: ${sample(unknown)}`],
  };
}

/** A product of several rows is made with the weight as floats: the largest of the block is there while it runs. */
function dequantizedElements(block: Block, sizes: readonly TensorSize[], { batch, beams }: Workload): number {
  const rows = block.kind === 'head' ? batch * beams : Infinity;
  if (rows === 1) return 0;
  const values = sizes.filter(({ name, quantized }) => quantized && !name.endsWith('_scales'));
  return Math.max(0, ...values.map(({ name, elements }) => elements * (name.endsWith('.int4') ? 2 : 1)));
}

const isInstructed = (config: ModelConfig): boolean => !isRetrieval(config) && config.qformer.text !== null;

/** `blip2-run` looks rows of the language model's tables up in host memory and sends them where they are needed. */
function lookUpOf(block: Block, table: VocabularyTable, engine: Engine): ProfileBlock['lookUp'] {
  if (engine !== 'blip2-run') return null;
  if (TOKEN_TABLES.has(block.kind)) return table.ownHead ? 'rows' : 'head';
  return block.kind === 'opt-positions' ? 'rows' : null;
}

/** How the file stores a block: `blip2-shard convert --quant` quantises all of its linear weights alike. */
function schemeOf(names: readonly string[]): QuantScheme | null {
  const ofScheme = (scheme: QuantScheme) => {
    const suffix = `.${scheme}`;
    return names.some((name) => name.endsWith(suffix));
  };
  return QUANT_SCHEMES.find(ofScheme) ?? null;
}

/** Elements of activations and caches: float32 for the Q-Former under float16, as its weights are. */
function elementBytes(block: Block, dtype: LoadDtype, rules: DtypeRules): 2 | 4 {
  if (block.kind.startsWith('q')) return loadedDtype(`${block.name}.weight`, 'F32', rules) === 'F32' ? 4 : 2;
  return dtype === 'float32' ? 4 : 2;
}

function bondOf(block: Block, headBonded: boolean): string | null {
  if (QUERY_INPUTS.has(block.kind)) return 'queries';
  return headBonded && (TOKEN_TABLES.has(block.kind) || block.kind === 'head') ? 'vocabulary' : null;
}

function blockRun(
  run: RunCost,
  work: BlockWork,
  sizes: readonly TensorSize[],
  rules: DtypeRules,
  sendsRows: boolean,
  isKept: (size: TensorSize) => boolean,
): BlockRun {
  const used =
    run.uses === 'all' ? sizes : sizes.filter(({ name }) => CROSS_KEYS.test(name) === (run.uses === 'cross-keys'));
  const storedBytes = bytesOf(used);
  const kept = used.filter(isKept);
  const elements = used.reduce((sum, tensor) => sum + tensor.elements, 0);
  const perElement = elements === 0 ? 0 : storedBytes / elements;
  const readBytes = run.rowElements === null ? storedBytes : Math.min(storedBytes, run.rowElements * perElement);
  return {
    phase: run.phase,
    runs: run.runs,
    copies: run.copies,
    flops: run.flops,
    readBytes,
    quantizedBytes: used.reduce((sum, { bytes, quantized }) => sum + (quantized ? bytes : 0), 0),
    streamedBytes: sendsRows ? readBytes : storedBytes,
    stateBytes: work.cacheElements === 0 ? 0 : run.stateElements * (rules.dtype === 'float32' ? 4 : 2),
    leaves: modulesOf(used).size,
    keptBytes: bytesOf(kept),
    keptLeaves: modulesOf(kept).size,
    torch: run.torch,
    outputElements: run.outputElements,
  };
}

/**
 * Modules of a block that are not worth a copy: half a millisecond each (bench/planner), whatever it holds. Norms, mostly.
 * None where the block's own module holds tensors, since its key would stand for those below as well.
 */
function keptOf(block: string, sizes: readonly TensorSize[]): (size: TensorSize) => boolean {
  if (sizes.some(({ module }) => !module.startsWith(`${block}.`))) return () => false;
  const most = SMALL_PART * bytesOf(sizes);
  const bytes = new Map<string, number>();
  for (const size of sizes) bytes.set(size.module, (bytes.get(size.module) ?? 0) + size.bytes);
  return ({ module }) => (bytes.get(module) ?? 0) <= most;
}

/** Of a block's bytes: what one module may have to be kept. */
const SMALL_PART = 0.005;

const bytesOf = (sizes: readonly TensorSize[]): number => sizes.reduce((sum, { bytes }) => sum + bytes, 0);

const modulesOf = (sizes: readonly TensorSize[]): Set<string> => new Set(sizes.map(({ module }) => module));

/** transformers registers the T5 table under each stack as well, so a map that lists a stack's parts must list these. */
function aliasesOf(config: ModelConfig, tensors: ReadonlyMap<string, TensorInfo>): Map<string, string> {
  if (languageFamily(config) !== 't5' || tensors.size === 0) return new Map();
  return new Map([
    ['language_model.encoder.embed_tokens', 'language_model.shared'],
    ['language_model.decoder.embed_tokens', 'language_model.shared'],
  ]);
}
