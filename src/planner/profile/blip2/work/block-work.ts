/** What one block costs for a workload, and the parts that costs are put together from. */
import type { ModelConfig } from '../../../../model/blip2-config.js';
import type { BlockPhase } from '../../../../model/blocks.js';
import type { Engine } from '../../../map/engine.js';
import type { Workload } from '../../workload/workload.js';
import { NO_CALLS } from './torch-calls.js';
import type { BlockRun, ProfileBlock } from '../../model-profile.js';

export interface RunCost extends Pick<BlockRun, 'phase' | 'runs' | 'copies' | 'flops' | 'outputElements' | 'torch'> {
  /** Which tensors of the block a run needs: the keys and values of T5's cross-attention are made once per prompt. */
  readonly uses: 'all' | 'cross-keys' | 'all-but-cross-keys';
  /** Elements that a table look-up reads; null where a run reads its tensors whole. */
  readonly rowElements: number | null;
  readonly stateElements: number;
}

export interface BlockWork extends Pick<ProfileBlock, 'extraInputs' | 'hostTraffic'> {
  readonly runs: readonly RunCost[];
  readonly cacheElements: number;
  /** Bytes of these on a GPU where they are kept as integers; null: as floats. */
  readonly quantizedCacheBytes: number | null;
  readonly activationElements: number;
  /** Of pictures that wait while the others pass a streamed block: in the model's float, and in float32. */
  readonly waiting: { readonly elements: number; readonly float32Elements: number };
  /** float32 elements of a constant that the graph holds in place of a tensor. */
  readonly constantElements: number;
}

export interface WorkContext {
  readonly config: ModelConfig;
  readonly workload: Workload;
  readonly engine: Engine;
  /** Rows up to which products are made with quantised weights as they are stored. */
  readonly packedRows: number;
}

/** Rows of a prompt: transformers copies it for every beam before it runs. */
export function promptRows({ workload, engine }: WorkContext): number {
  return workload.batch * (engine === 'transformers' ? workload.beams : 1);
}

/**
 * Tokens that a row of a decoder-only model's cache has room for. On a GPU, `blip2-run` makes room for 31 new tokens at
 * least and for whole multiples of 64, so that one graph serves most answers; of captions that are made together, for no more
 * than they have, in multiples of 8.
 */
export function cacheLength({ config, workload, engine }: WorkContext): number {
  const { batch, beams, promptTokens, newTokens } = workload;
  if (engine === 'transformers') return promptTokens + newTokens;
  if (batch * beams > 1 && promptTokens === config.numQueryTokens + 1) return inEights(promptTokens + newTokens);
  return inSteps(promptTokens + Math.max(newTokens, 31));
}

/** Tokens that the two caches of a T5 decoder layer have room for in all rows: its own, and those of the prompts. */
export function t5CachedTokens(context: WorkContext): number {
  const { batch, beams, promptTokens, newTokens } = context.workload;
  const rows = batch * beams;
  return context.engine === 'transformers'
    ? rows * newTokens + promptRows(context) * promptTokens
    : rows * (inSteps(newTokens) + inEights(promptTokens));
}

/** `blip2-run` gives caches room for this many tokens more at a time. */
const inSteps = (tokens: number): number => 64 * Math.ceil(tokens / 64);

/** Of captions that are made together, and of T5's prompts. */
const inEights = (tokens: number): number => 8 * Math.ceil(tokens / 8);

export const NO_TRAFFIC = { transfers: 0, elements: 0 } as const;

const NO_COST = {
  flops: 0,
  uses: 'all',
  rowElements: null,
  stateElements: 0,
  outputElements: 0,
  torch: NO_CALLS,
} as const;

const NO_WORK = {
  cacheElements: 0,
  quantizedCacheBytes: null,
  activationElements: 0,
  waiting: { elements: 0, float32Elements: 0 },
  constantElements: 0,
  extraInputs: [],
  hostTraffic: NO_TRAFFIC,
} as const;

export function run(phase: BlockPhase, runs: number, cost: Partial<RunCost>): RunCost {
  return { phase, runs, copies: runs, ...NO_COST, ...cost };
}

export function work(runs: readonly RunCost[], rest: Partial<BlockWork>): BlockWork {
  return { runs: runs.filter((each) => each.runs > 0), ...NO_WORK, ...rest };
}
