import { askedOf } from '../document/asked-of.js';
import { schemeIn } from '../document/scheme-in.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { formOf } from '../../profile/model-profile.js';
import { formatCount } from '../../../size.js';
import { profiler } from '../request/profiler.js';
import type { PlanDocument } from '../document/plan-document.js';

/**
 * Where a plan and a checkpoint are of different models, in a sentence: the first block that only one of them has, or whose
 * weights would take other bytes than the plan counts. null where a plan for the checkpoint would count the same.
 * @throws those of `planDeviceMap` for the checkpoint
 */
export function differingBlock(plan: PlanDocument, tensors: TensorTable, config: unknown): string | null {
  const profile = profiler(tensors, { config, ...askedOf(plan) })(plan.workload);
  const planned = new Map(plan.placements.map(({ block, weightBytes }) => [block, weightBytes]));
  for (const block of profile.blocks) {
    const counted = planned.get(block.name);
    if (counted === undefined) return `it has no ${block.name}`;
    const { weightBytes } = formOf(block, schemeIn(plan, block.name));
    if (counted !== weightBytes) {
      return `${block.name} has ${formatCount(counted)} bytes there and ${formatCount(weightBytes)} here`;
    }
    planned.delete(block.name);
  }
  const [extra] = planned.keys();
  return extra === undefined ? null : `this checkpoint has no ${extra}`;
}
