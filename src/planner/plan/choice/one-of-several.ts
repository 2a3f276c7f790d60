import { at } from '../../../checked-access.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { runsOn, type Place } from '../../price/place.js';
import type { PlanOptions } from '../request/plan-options.js';
import { preparePlan, type PlanContext } from '../request/prepare-plan.js';
import type { Answer } from './cases.js';
import { bestSets, chooseFor, withOnly } from './choose-for.js';
import type { ChooseOptions } from './choose-places.js';

/** Costs closer than this fraction are equal. */
const SAME = 1e-9;

/** Places, and the context whose blocks they are for. */
export interface Chosen {
  readonly context: PlanContext;
  readonly answer: Answer;
}

/**
 * The best placement, of parts as large as several GPUs may share and, on one of them, of smaller ones: without that a second GPU could
 * make a plan slower.
 */
export function chooseOverGpus(
  context: PlanContext,
  tensors: TensorTable,
  options: PlanOptions,
  search: ChooseOptions,
): Chosen {
  const objective = options.objective ?? 'latency';
  const shared = { context, answer: chooseFor(objective, context, search) };
  const finer = objective === 'latency' && !isOnOneGpu(shared.answer) ? onOneGpu(context, tensors, options) : null;
  if (finer === null) return shared;
  const alone = bestSets(finer, 1).flatMap((ids) => {
    const gpu = at(ids, 0);
    const less = Math.max(0, residentMs(context, gpu) - residentMs(finer, gpu));
    const cutoff = Math.min(search.cutoff ?? Infinity, shared.answer.cost * (1 - SAME) - less);
    const answer = chooseFor(objective, withOnly(finer, ids), { ...search, cutoff });
    return gpusOf(answer).size <= 1 && answer.cost < cutoff ? [{ context: finer, answer }] : [];
  });
  const all = [shared, ...alone];
  const best = all.reduce((a, b) => (b.answer.cost < a.answer.cost ? b : a));
  const isProven = all.every(({ answer }) => answer.status !== 'none' || answer.proven);
  if (best.answer.status === 'none') return { ...best, answer: { ...best.answer, proven: isProven } };
  const { cost } = best.answer;
  const bound = Math.min(cost, ...all.map(({ answer }) => boundOf(answer)));
  const status = isProven && bound >= cost * (1 - SAME) ? 'optimal' : 'stopped';
  return { ...best, answer: { ...best.answer, status, bound } };
}

/** The same request for one GPU that runs all; null where its parts are no smaller. */
function onOneGpu(context: PlanContext, tensors: TensorTable, options: PlanOptions): PlanContext | null {
  const { profile, budgets } = context;
  if (profile.family !== 'generic' || profile.engine !== 'transformers' || budgets.gpus.size < 2) return null;
  const finer = preparePlan(tensors, { ...options, onOneGpu: true });
  return finer.profile.blocks.length === profile.blocks.length ? null : finer;
}

/** A module's parts are priced with fewer calls of torch than all of it: the difference is no gain. */
function residentMs({ profile, prices }: PlanContext, gpu: number): number {
  const place: Place = { execution: 'resident', gpu, scheme: null };
  const priced = prices.amongst([place]);
  return profile.blocks.reduce((sum, block) => sum + priced.blockMs(block, place), 0);
}

const boundOf = (answer: Answer): number => (answer.status === 'none' ? Infinity : answer.bound);

function gpusOf(answer: Answer): Set<number> {
  const places = answer.status === 'none' ? [] : answer.choice.map(runsOn);
  return new Set(places.filter((device) => typeof device === 'number'));
}

/** Whether nothing is left to be gained. */
function isOnOneGpu(answer: Answer): boolean {
  if (answer.status === 'none') return false;
  return gpusOf(answer).size === 1 && answer.choice.every(({ execution }) => execution === 'resident');
}
