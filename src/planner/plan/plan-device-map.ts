/**
 * The planner: tensors and budgets in, the fastest placement that fits out.
 *
 * Pure: it reads no file and asks no device. Whoever calls it brings the tensor table (from shard headers, or from a
 * preset's config), the parsed `config.json` if there is one, and the budgets.
 */
import type { TensorTable } from '../../tensor/tensor-info.js';
import type { DeviceMap } from '../map/device-map.js';
import type { ModelProfile } from '../profile/model-profile.js';
import { chooseOverGpus } from './choice/one-of-several.js';
import { DEFAULT_EFFORT } from '../solve/exact.js';
import type { ChooseOptions } from './choice/choose-places.js';
import { buildPlan } from './document/build-plan.js';
import { preparePlan, type PlanContext } from './request/prepare-plan.js';
import type { PlanOptions } from './request/plan-options.js';
import { explainInfeasible, type Infeasible } from './choice/infeasible.js';
import type { PlanDocument } from './document/plan-document.js';

/** Times the usual effort of the integer solver, which the time limit ends sooner. */
const TIMED_EFFORT = 1000;

/** The plan, its device map and the profile that both rest on; or that nothing fits. */
export type PlanResult =
  | { readonly status: 'fits'; readonly plan: PlanDocument; readonly map: DeviceMap; readonly profile: ModelProfile }
  | Infeasible;

/**
 * Finds the placement that keeps to every budget and is best at the objective: by default, of the lowest predicted latency.
 * "Does not fit" is a result. Without a time limit the same input gives the same plan.
 * @throws Blip2Error for input that means nothing: `OPTION_INVALID`, `BUDGET_INVALID`, `WORKLOAD_INVALID`, `CONFIG_INVALID`, `TENSOR_NOT_FOUND`,
 * `TENSOR_SHAPE`, `PIN_UNKNOWN`, `PIN_IMPOSSIBLE`.
 */
export function planDeviceMap(tensors: TensorTable, options: PlanOptions): PlanResult {
  return planPrepared(preparePlan(tensors, options), tensors, options);
}

/** The same with what `preparePlan` makes of these options. */
export function planPrepared(context: PlanContext, tensors: TensorTable, options: PlanOptions): PlanResult {
  const objective = options.objective ?? 'latency';
  const { context: chosen, answer } = chooseOverGpus(context, tensors, options, limited(options));
  if (answer.status === 'none') return explainInfeasible(chosen, tensors, options, answer.proven);
  const { document, map } = buildPlan(chosen, answer.choice, {
    status: answer.status,
    objective,
    boundMs: answer.bound,
    gap: answer.cost === 0 ? 0 : Math.max(0, (answer.cost - answer.bound) / answer.cost),
  });
  return { status: 'fits', plan: document, map, profile: chosen.profile };
}

function limited({ solver: given = {}, timeLimitMs, integerSolver }: PlanOptions): ChooseOptions {
  const solver = { ...given, integerSolver };
  if (timeLimitMs === undefined) return solver;
  const end = performance.now() + timeLimitMs;
  // By default a search ends after about a second; whoever allows more gets more, of the integer solver where there is one.
  const isLong = timeLimitMs >= 1000;
  const effort = integerSolver === undefined && isLong ? DEFAULT_EFFORT * (timeLimitMs / 1000) : DEFAULT_EFFORT;
  const programEffort = integerSolver !== undefined && isLong ? TIMED_EFFORT : 1;
  return { effort, programEffort, ...solver, stop: () => performance.now() >= end || given.stop?.() === true };
}
