/** How many pictures to take at once, and how many of them to encode together, for the most pictures per second. */
import type { TensorTable } from '../../tensor/tensor-info.js';
import { QUANTIZED_CACHES_PRICE } from '../price/accuracy.js';
import { MOST_TOGETHER } from '../profile/workload/encoding.js';
import type { Workload } from '../profile/workload/workload.js';
import type { Budgets } from './request/budgets.js';
import { chooseFor } from './choice/choose-for.js';
import { casesOf } from './choice/cases.js';
import { planPreparer, type PlanContext } from './request/prepare-plan.js';
import type { PlanOptions } from './request/plan-options.js';
import { planDeviceMap, planPrepared, type PlanResult } from './plan-device-map.js';

/** Pictures at once that are tried, with GPUs and without: a CPU is busy with few. */
const BATCHES = {
  gpu: [1, 8, 12, 16, 20, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 112, 128, 192, 256, 384, 512],
  cpu: [1, 2, 4, 8],
} as const;

/**
 * How many pictures at once are worth trying.
 * @param pictures how many there are altogether
 */
export function autoBatches({ gpus }: Pick<Budgets, 'gpus'>, pictures = Infinity): number[] {
  const all = gpus.size === 0 ? BATCHES.cpu : BATCHES.gpu;
  const fewer = all.filter((batch) => batch < pictures);
  return fewer.length < all.length ? [...fewer, pictures] : fewer;
}

/** Of the integer solver's usual effort, for a number of pictures: the one that is chosen is planned again. */
const ROUGH_EFFORT = 0.1;

interface Candidate {
  readonly workload: Partial<Workload> & { readonly batch: number };
  readonly context: PlanContext;
  /** No placement takes less a picture, whatever the memory. */
  readonly leastMs: number;
  /** What its milliseconds of a call count for, a picture: prices of accuracy included. */
  readonly factor: number;
}

/**
 * The plan for as many pictures at once as make for the most of them per second: their number over the latency of a call, or,
 * for `throughput`, over the time of its busiest device. Prices of accuracy count as time. Where weights may be quantised, caches may be
 * as well, if the workload does not say how they are.
 * @param batches to choose from, whatever `workload` says
 * @throws what `planDeviceMap` throws
 */
export function planForBatches(
  tensors: TensorTable,
  options: PlanOptions,
  batches: readonly number[] = autoBatches(options.budgets),
): PlanResult {
  const { objective = 'latency', solver, integerSolver } = options;
  const prepare = planPreparer(tensors, options);
  const candidates = batches
    .flatMap((batch) => togetherSizes(batch, options).map((encoded) => ({ ...options.workload, batch, encoded })))
    .flatMap((workload): Candidate[] => {
      const prepared = (asked: Candidate['workload']): Candidate => {
        const context = prepare({ budgets: options.budgets, workload: asked });
        const factor = (asked.caches === 'int8' ? QUANTIZED_CACHES_PRICE : 1) / asked.batch;
        return { workload: asked, context, factor, leastMs: factor * leastMs(context, objective === 'throughput') };
      };
      const given = prepared(workload);
      const mayQuantize =
        options.allowQuant !== undefined && options.allowQuant.length > 0 && workload.caches === undefined;
      if (!mayQuantize || workload.batch === 1 || given.context.profile.mayQuantizeCaches !== true) return [given];
      return [given, prepared({ ...workload, caches: 'int8' })];
    })
    .toSorted((a, b) => a.leastMs - b.leastMs);
  let best: { readonly of: Candidate; readonly msPerPicture: number } | null = null;
  for (const candidate of candidates) {
    const { context, factor, leastMs: least } = candidate;
    // Nor is there more to be had of those behind it.
    if (best !== null && least >= best.msPerPicture) break;
    const cutoff: number = best === null ? Infinity : best.msPerPicture / factor;
    const answer = chooseFor(objective, context, { ...solver, integerSolver, programEffort: ROUGH_EFFORT, cutoff });
    if (answer.status !== 'none') best = { of: candidate, msPerPicture: answer.cost * factor };
  }
  if (best !== null) {
    const { workload, context } = best.of;
    return planPrepared(context, tensors, { ...options, workload });
  }
  const smallest = { ...options.workload, batch: Math.min(...batches), encoded: 1 };
  return planDeviceMap(tensors, { ...options, workload: smallest });
}

/** Powers of two; transformers encodes a batch as one. */
function togetherSizes(batch: number, { engine }: PlanOptions): number[] {
  const most = Math.min(batch, MOST_TOGETHER);
  if (engine === 'transformers') return [batch];
  const sizes = Array.from({ length: Math.floor(Math.log2(most)) + 1 }, (_, power) => 2 ** power);
  return sizes.includes(most) ? sizes : [...sizes, most];
}

/** What a call takes where every block is in its fastest place, and crossings are free. */
function leastMs(context: PlanContext, isPipeline: boolean): number {
  const sums = casesOf(context).map(({ problem }) =>
    problem.items.reduce((sum, { cost }) => sum + Math.min(...cost), 0),
  );
  // The busiest of some devices does at least its share.
  return Math.min(...sums) / (isPipeline ? context.budgets.gpus.size + 1 : 1);
}
