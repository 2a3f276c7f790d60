import type { Budgets } from './budgets.js';
import type { Objective } from './plan-options.js';

/** Whether a plan is better or sooner proven with an integer solver: with several memories that can be full, and for throughput. */
export function needsIntegerSolver({ gpus, ramBytes, diskBytes }: Budgets, objective: Objective = 'latency'): boolean {
  const memories = gpus.size + (ramBytes === null ? 0 : 1) + (diskBytes > 0 ? 1 : 0);
  return memories > 1 || (objective === 'throughput' && gpus.size > 0);
}
