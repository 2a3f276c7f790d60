/** Budgets against what they buy: predicted latency and streamed bytes, and the largest batch. */
import { at } from '../../../checked-access.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { planPreparer } from '../request/prepare-plan.js';
import type { PlanOptions } from '../request/plan-options.js';
import { fits } from '../choice/infeasible.js';
import type { Placement, PlanDocument } from '../document/plan-document.js';
import { planPrepared } from '../plan-device-map.js';

/** What one budget gives. */
export interface SweepPoint {
  /** Of every GPU. */
  readonly gpuBytes: number;
  /** null where nothing fits. */
  readonly latencyMs: number | null;
  readonly streamedBytesPerCall: number | null;
  readonly gpuWeightBytes: number | null;
  /** What this budget gains over the one before it, in words; null where nothing changes. */
  readonly step: string | null;
}

/** Budgets of every GPU, at equal distances, both ends among them. */
export interface SweepRange {
  readonly fromBytes: number;
  readonly toBytes: number;
  /** How many budgets; 1 is `fromBytes` alone. */
  readonly points: number;
}

/** A point of a sweep, and the plan it comes from; null where nothing fits. */
export interface PlannedPoint {
  readonly point: SweepPoint;
  readonly plan: PlanDocument | null;
}

/**
 * Plans for evenly spaced budgets of each GPU, all else as asked.
 * @throws Blip2Error as `planDeviceMap`
 */
export function sweepBudgets(tensors: TensorTable, options: PlanOptions, range: SweepRange): SweepPoint[] {
  return [...plannedPoints(tensors, options, range)].map(({ point }) => point);
}

/** A sweep point by point, from the smallest budget up, for whoever shows them as they come. */
export function* plannedPoints(
  tensors: TensorTable,
  options: PlanOptions,
  { fromBytes, toBytes, points }: SweepRange,
): Generator<PlannedPoint, void> {
  const ids = options.budgets.gpus.size === 0 ? [0] : [...options.budgets.gpus.keys()];
  const prepare = planPreparer(tensors, options);
  const held = new Set<string>();
  for (let k = 0; k < points; k++) {
    const gpuBytes = Math.round(fromBytes + ((toBytes - fromBytes) * k) / Math.max(1, points - 1));
    const gpus = new Map(ids.map((id) => [id, gpuBytes]));
    const asked = { ...options, budgets: { ...options.budgets, gpus }, explain: false };
    const result = planPrepared(prepare(asked), tensors, asked);
    const plan = result.status === 'fits' ? result.plan : null;
    const fresh = residentParts(plan?.placements ?? []).filter((part) => !held.has(part));
    for (const part of fresh) held.add(part);
    const onGpus = plan?.devices.filter(({ id }) => typeof id === 'number');
    const point = {
      gpuBytes,
      latencyMs: plan?.cost.latencyMs ?? null,
      streamedBytesPerCall: plan?.cost.streamedBytesPerCall ?? null,
      gpuWeightBytes: onGpus?.reduce((sum, { weightBytes }) => sum + weightBytes, 0) ?? null,
      step: k === 0 || fresh.length === 0 ? null : `${fresh.join(' and ')} on the GPU`,
    };
    yield { point, plan };
  }
}

/**
 * The most pictures per call with which a plan fits, or 0, encoded one by one unless the workload says more. Host memory without a
 * limit would take any number, so what is asked then is what the GPUs take, beside the tables that are looked up in host memory.
 * @throws Blip2Error as `planDeviceMap`
 */
export function largestBatch(tensors: TensorTable, options: PlanOptions): number {
  const prepare = planPreparer(tensors, options);
  const possible = (batch: number) => {
    const context = prepare({ budgets: options.budgets, workload: { encoded: 1, ...options.workload, batch } });
    const { budgets, profile } = context;
    const ramBytes =
      budgets.ramBytes ??
      profile.blocks.reduce((sum, block) => sum + (block.lookUp === 'rows' ? block.weightBytes : 0), 0);
    return fits({ ...context, budgets: { ...budgets, ramBytes } }, options.integerSolver);
  };
  if (!possible(1)) return 0;
  let low = 1;
  let high = 2;
  while (high < MOST_PICTURES && possible(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (possible(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Where nothing grows with the batch, as in a model of tables alone. */
const MOST_PICTURES = 65_536;

/** Top-level modules of some weight that are on GPUs from end to end. */
function residentParts(placements: readonly Placement[]): string[] {
  const parts = new Map<string, { bytes: number; resident: boolean }>();
  for (const { block, execution, weightBytes } of placements) {
    const part = at(block.split('.'), 0);
    const known = parts.get(part) ?? { bytes: 0, resident: true };
    parts.set(part, { bytes: known.bytes + weightBytes, resident: known.resident && execution === 'resident' });
  }
  const total = [...parts.values()].reduce((sum, part) => sum + part.bytes, 0);
  return [...parts].filter(([, part]) => part.resident && part.bytes > 0.02 * total).map(([name]) => name);
}
