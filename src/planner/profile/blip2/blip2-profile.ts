/** The profile of a BLIP-2 checkpoint: what its blocks weigh, and what each costs for the work that is asked. */
import { isRetrieval, type ModelConfig } from '../../../model/blip2-config.js';
import { mayQuantizeCaches } from '../../../model/quantized-caches.js';
import type { Block } from '../../../model/blocks.js';
import { modulesBesideBlocks } from '../../../model/modules-beside-blocks.js';
import type { QuantScheme } from '../../../tensor/quantized.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { TOKEN_TABLES } from './blip2-owners.js';
import { blip2Weights, type Blip2ProfileOptions, type BlockWeights, type StoredWeights } from './blip2-weights.js';
import type { BlockRun, ModelProfile, ProfileBlock } from '../model-profile.js';
import { withStreamedGroups } from './streamed-groups.js';
import { bytesOf, largestLeaf, type TensorSize } from './tensor-sizes.js';
import { blip2Work } from './work/blip2-work.js';
import type { BlockWork, RunCost, WorkContext } from './work/block-work.js';
import type { Workload } from '../workload/workload.js';

const CROSS_KEYS = /\.EncDecAttention\.[kv]\./;

/**
 * The profile for one workload after another of a checkpoint that is looked at once.
 * @throws Blip2Error as `blip2Weights`
 */
export function blip2Profiler(
  tensors: TensorTable,
  config: ModelConfig,
  options: Blip2ProfileOptions,
): (workload: Workload, packedRows?: number) => ModelProfile {
  const { dtype, engine } = options;
  const { blocks: weights, aliases, warnings } = blip2Weights(tensors, config, options);
  const emptyModules = modulesBesideBlocks(config).filter((name) => !aliases.has(name));
  const bytesPerElement = dtype === 'float32' ? 4 : 2;
  const quantizable = engine === 'blip2-run' && !isRetrieval(config) && mayQuantizeCaches(config.text);
  return (workload, packedRows = 1) => {
    const context = { config, workload, engine, packedRows };
    const blocks = weights.map((each) => profileBlock(each, context, bytesPerElement));
    return {
      family: 'blip2',
      dtype,
      workload,
      engine,
      blocks: engine === 'blip2-run' ? withStreamedGroups(blocks, workload.encoded !== undefined) : blocks,
      aliases,
      emptyModules,
      weightBytes: blocks.reduce((sum, block) => sum + block.weightBytes, 0),
      assumptions: [],
      warnings,
      mayQuantizeCaches: quantizable && packedRows > 1,
    };
  };
}

/** @param bytesPerElement of the model's dtype */
function profileBlock(weights: BlockWeights, context: WorkContext, bytesPerElement: 2 | 4): ProfileBlock {
  const { block, loaded, forms, lookUp, kept } = weights;
  const { workload } = context;
  const work = blip2Work(block, context);
  const inForm = ({ scheme, held, read }: StoredWeights): ProfileBlock => ({
    name: block.name,
    kind: block.kind,
    phase: block.phase,
    tensors: weights.tensors,
    weightBytes: bytesOf(held),
    float32Bytes: held.reduce((sum, { float32Bytes }) => sum + float32Bytes, 0),
    scheme,
    forms: new Map<QuantScheme, ProfileBlock>(),
    lookUp,
    bufferBytes: 4 * work.constantElements,
    stores: weights.stores,
    kept: kept.map((level) => ({ tensors: [...level], bytes: bytesOf(read.filter(({ name }) => level.has(name))) })),
    largestLeafBytes: largestLeaf(read),
    streamedWithBytes: null,
    cacheElements: work.cacheElements,
    quantizedCacheBytes: work.quantizedCacheBytes,
    activationElements: work.activationElements + dequantizedElements(block, held, context),
    waitingBytes: 4 * work.waiting.float32Elements + bytesPerElement * work.waiting.elements,
    elementBytes: weights.elementBytes,
    runs: work.runs.map((run) => blockRun(run, work, read, { bytesPerElement, sendsRows: lookUp !== null, kept })),
    bond: weights.bond,
    extraInputs: work.extraInputs,
    hostTraffic: work.hostTraffic,
  });
  const floats = inForm(loaded);
  if (forms.size === 0) return floats;
  // Logits of so many rows are made with the head as floats, beside which a quantised one would only take room.
  const keepsHead = workload.batch * workload.beams > context.packedRows;
  const staysFloat = keepsHead && (block.kind === 'head' || TOKEN_TABLES.has(block.kind));
  const form = (stored: StoredWeights | null): ProfileBlock =>
    stored === null ? { ...floats, lookUp: 'rows' } : inForm(stored);
  return { ...floats, staysFloat, forms: new Map([...forms].map(([scheme, stored]) => [scheme, form(stored)])) };
}

/** A product of many rows is made with the weight as floats: the largest of the block is there while it runs. */
function dequantizedElements(
  block: Block,
  sizes: readonly TensorSize[],
  { workload: { batch, beams }, packedRows }: WorkContext,
): number {
  if (block.kind === 'head' && batch * beams <= packedRows) return 0;
  const values = sizes.filter(({ name, quantized }) => quantized && !name.endsWith('_scales'));
  return Math.max(0, ...values.map(({ name, elements }) => elements * (name.endsWith('.int4') ? 2 : 1)));
}

interface RunRules {
  readonly bytesPerElement: 2 | 4;
  /** A table's rows are sent, not the table. */
  readonly sendsRows: boolean;
  readonly kept: readonly ReadonlySet<string>[];
}

function blockRun(
  run: RunCost,
  work: BlockWork,
  sizes: readonly TensorSize[],
  { bytesPerElement, sendsRows, kept }: RunRules,
): BlockRun {
  const used =
    run.uses === 'all' ? sizes : sizes.filter(({ name }) => CROSS_KEYS.test(name) === (run.uses === 'cross-keys'));
  const storedBytes = bytesOf(used);
  const elements = used.reduce((sum, tensor) => sum + tensor.elements, 0);
  const perElement = elements === 0 ? 0 : storedBytes / elements;
  const cacheBytes = work.quantizedCacheBytes ?? work.cacheElements * bytesPerElement;
  const readBytes = run.rowElements === null ? storedBytes : Math.min(storedBytes, run.rowElements * perElement);
  return {
    phase: run.phase,
    runs: run.runs,
    copies: run.copies,
    flops: run.flops,
    readBytes,
    quantizedBytes: used.reduce((sum, { bytes, quantized }) => sum + (quantized ? bytes : 0), 0),
    streamedBytes: sendsRows ? readBytes : storedBytes,
    stateBytes: work.cacheElements === 0 ? 0 : (run.stateElements * cacheBytes) / work.cacheElements,
    leaves: modulesOf(used).size,
    kept: kept
      .map((level) => used.filter(({ name }) => level.has(name)))
      .map((stay) => ({ bytes: bytesOf(stay), leaves: modulesOf(stay).size })),
    torch: run.torch,
    outputElements: run.outputElements,
  };
}

const modulesOf = (sizes: readonly TensorSize[]): Set<string> => new Set(sizes.map(({ module }) => module));
