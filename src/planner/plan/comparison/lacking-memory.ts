/** Whether a placement has room for another workload than it was planned for. */
import { askedOf } from '../document/asked-of.js';
import { schemeIn } from '../document/scheme-in.js';
import { found } from '../../../checked-access.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import type { Device } from '../../map/device-map.js';
import type { Location } from '../../price/place.js';
import type { Workload } from '../../profile/workload/workload.js';
import { planPreparer } from '../request/prepare-plan.js';
import type { GpuProvider } from '../request/plan-options.js';
import { memoryTable } from '../document/memory-table.js';
import type { Placement, PlanDocument } from '../document/plan-document.js';

export interface PlannedModel {
  readonly tensors: TensorTable;
  /** The parsed JSON of `config.json`. */
  readonly config: unknown;
  /** What the GPUs are reached through. */
  readonly provider: GpuProvider;
}

/** Bytes that a workload lacks. @throws Blip2Error `WORKLOAD_INVALID` */
export type LackingFor = (asked: Workload) => ReadonlyMap<Device, number>;

/**
 * Bytes by which workloads exceed the budgets of a plan whose placement stays as it is: what one takes more than the
 * planned one, less what the plan leaves free. Devices with enough, and those without a limit, are not in the answer.
 */
export function lackingMemory(plan: PlanDocument, model: PlannedModel): LackingFor {
  const usedFor = usedBytes(plan, model);
  const planned = usedFor(plan.workload);
  return (asked) => {
    const wanted = usedFor(asked);
    const lacking = new Map<Device, number>();
    for (const { id, freeBytes } of plan.devices) {
      const more = found(wanted, id) - found(planned, id);
      if (freeBytes !== null && more > Math.max(0, freeBytes)) lacking.set(id, more - freeBytes);
    }
    return lacking;
  };
}

/** A budget that nothing exceeds: what is not left of it is used. */
const ENOUGH = Number.MAX_SAFE_INTEGER;

/** Bytes that the plan's placement takes of every device. */
function usedBytes(plan: PlanDocument, model: PlannedModel): (workload: Workload) => ReadonlyMap<Device, number> {
  const gpus = plan.devices.flatMap(({ id }) => (typeof id === 'number' ? [id] : []));
  const budgets = { gpus: new Map(gpus.map((id) => [id, ENOUGH])), ramBytes: ENOUGH, diskBytes: ENOUGH };
  const { tensors, config, provider } = model;
  const prepare = planPreparer(tensors, { config, provider, ...askedOf(plan) });
  const placements = new Map(plan.placements.map((placement) => [placement.block, placement]));
  return (workload) => {
    const context = prepare({ budgets, workload });
    const placed = context.profile.blocks.map((block) => {
      const placement = placements.get(block.name);
      const location: Location = placement === undefined ? { execution: 'host', store: 'cpu' } : locationOf(placement);
      return { block, place: { ...location, scheme: schemeIn(plan, block.name) } };
    });
    return new Map(memoryTable(context, placed).map(({ id, freeBytes }) => [id, ENOUGH - (freeBytes ?? ENOUGH)]));
  };
}

function locationOf({ execution, device, runsOn }: Placement): Location {
  if (execution === 'resident' && typeof device === 'number') return { execution, gpu: device };
  const store = device === 'disk' ? 'disk' : 'cpu';
  if (execution === 'streamed' && typeof runsOn === 'number') return { execution, gpu: runsOn, store, level: 0 };
  return { execution: 'host', store };
}
