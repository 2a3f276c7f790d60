/** Why nothing fits, and what would: deficits, the smallest budgets that work, and remedies, each of them tried. */
import type { Device } from '../map/device-map.js';
import { exactSize } from '../size.js';
import { solveExact } from '../solve/exact.js';
import type { Item } from '../solve/problem.js';
import { assemble } from './assemble.js';
import type { Budgets } from './budgets.js';
import { casesOf, type PlanContext } from './context.js';

export interface DeviceShare {
  readonly id: Device;
  /** null where no limit was set. */
  readonly budgetBytes: number | null;
  readonly reserveBytes: number;
}

/** A change of one budget that makes a plan possible, all else as asked. */
export interface Remedy {
  readonly device: Device;
  /** The smallest budget of that device that works. */
  readonly budgetBytes: number;
  readonly addedBytes: number;
  /** What to type. */
  readonly flag: string;
}

export interface Infeasible {
  readonly status: 'infeasible';
  /** False where the search was cut short before every placement was ruled out. */
  readonly proven: boolean;
  /** Weights and caches of the whole model, whatever runs where. */
  readonly neededBytes: number;
  /** What the devices offer together; null where RAM is not limited. */
  readonly offeredBytes: number | null;
  readonly shortBytes: number;
  readonly devices: readonly DeviceShare[];
  /** Smallest sufficient budgets, the smallest addition first. */
  readonly remedies: readonly Remedy[];
}

export function explainInfeasible(context: PlanContext): Infeasible {
  const { budgets, profile, reserves } = context;
  const cacheBytes = profile.blocks.reduce((sum, block) => sum + block.cacheElements * block.elementBytes, 0);
  const neededBytes = profile.weightBytes + cacheBytes;
  const gpuIds = [...budgets.gpus.keys()].sort((a, b) => a - b);
  const usable = gpuIds.map((id) => Math.max(0, (budgets.gpus.get(id) ?? 0) - (reserves.get(id) ?? 0)));
  const offeredBytes =
    budgets.ramBytes === null ? null : usable.reduce((a, b) => a + b, 0) + budgets.ramBytes + budgets.diskBytes;
  const largest = gpuIds.reduce<number | undefined>(
    (most, id) => (most === undefined || (budgets.gpus.get(id) ?? 0) > (budgets.gpus.get(most) ?? 0) ? id : most),
    undefined,
  );
  const remedies = [
    ...(largest === undefined ? [] : [remedy(context, largest)]),
    remedy(context, 'cpu'),
    ...(budgets.diskBytes > 0 ? [remedy(context, 'disk')] : []),
  ].filter((found) => found !== null);
  return {
    status: 'infeasible',
    proven: true,
    neededBytes,
    offeredBytes,
    shortBytes: offeredBytes === null ? 0 : Math.max(0, neededBytes - offeredBytes),
    devices: [
      ...gpuIds.map((id) => ({ id, budgetBytes: budgets.gpus.get(id) ?? 0, reserveBytes: reserves.get(id) ?? 0 })),
      { id: 'cpu', budgetBytes: budgets.ramBytes, reserveBytes: 0 },
      { id: 'disk', budgetBytes: budgets.diskBytes, reserveBytes: 0 },
    ],
    remedies: remedies.sort((a, b) => a.addedBytes - b.addedBytes),
  };
}

function remedy(context: PlanContext, device: Device): Remedy | null {
  const now = budgetOf(context.budgets, device);
  if (now === null) return null;
  let low = now;
  // Nothing ever takes more than every weight in float32, all caches and all peaks.
  let high =
    now +
    context.profile.blocks.reduce(
      (sum, block) =>
        sum + block.float32Bytes + 4 * (block.cacheElements + block.activationElements) + 2 * block.largestLeafBytes,
      0,
    );
  if (!fits(withBudget(context, device, high))) return null;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(withBudget(context, device, middle))) high = middle;
    else low = middle;
  }
  const name = device === 'cpu' ? '--ram' : device === 'disk' ? '--disk' : '--vram';
  return { device, budgetBytes: high, addedBytes: high - now, flag: `${name} ${exactSize(high)}` };
}

/** Whether any placement fits: the same problem without costs. */
export function fits(context: PlanContext): boolean {
  return casesOf(context).some((placing) => {
    const problem = assemble(context.profile, placing, context.prices);
    const items = problem.items.map((item): Item => ({
      use: item.use,
      peak: item.peak,
      sameAs: item.sameAs,
      cost: item.cost.map((cost) => (cost === Infinity ? Infinity : 0)),
      inputs: [],
    }));
    return solveExact({ ...problem, items }, { cutoff: 1e-6 }).status !== 'infeasible';
  });
}

export function withBudget(context: PlanContext, device: Device, bytes: number): PlanContext {
  const { budgets } = context;
  if (device === 'cpu') return { ...context, budgets: { ...budgets, ramBytes: bytes } };
  if (device === 'disk') return { ...context, budgets: { ...budgets, diskBytes: bytes } };
  return { ...context, budgets: { ...budgets, gpus: new Map([...budgets.gpus, [device, bytes]]) } };
}

function budgetOf(budgets: Budgets, device: Device): number | null {
  if (device === 'cpu') return budgets.ramBytes;
  return device === 'disk' ? budgets.diskBytes : (budgets.gpus.get(device) ?? 0);
}
