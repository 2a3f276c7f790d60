/** What page-locked memory would make of a plan that streams from pageable memory. */
import { explainMap, parseDeviceMap, type PlanDocument } from '../../src/planner/index.js';
import { formatMs } from '../../src/planner/report/format-ms.js';
import type { PlanRequest } from './plan-request.js';

/** How many times as fast makes it worth a line. */
const WORTH_SAYING = 1.3;

/** null where nothing would be much faster. */
export function pageLockNote(plan: PlanDocument, { tensors, options }: PlanRequest): string | null {
  const { engine, pageLocked, placements, workload, device_map: map } = plan;
  const streams = placements.some(({ execution, device }) => execution === 'streamed' && device === 'cpu');
  if (engine !== 'transformers' || pageLocked === true || !streams) return null;
  const locked = explainMap(parseDeviceMap(map), tensors, { ...options, workload, pageLocked: true }).plan;
  if (locked === null || plan.cost.latencyMs < WORTH_SAYING * locked.cost.latencyMs) return null;
  return `page-locked (--page-lock), the same map is predicted to take ${formatMs(locked.cost.latencyMs)}`;
}
