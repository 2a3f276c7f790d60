/** Which resources can be full, and of how many peaks the largest may be one. */
import type { Problem } from '../problem.js';

/** The different peaks of open places on a resource, ascending from none. */
export function peaksOf({ items }: Problem, resource: number): number[] {
  const peaks = new Set([0]);
  for (const { cost, peak } of items) {
    for (const [p, own] of peak.entries()) if ((cost[p] ?? Infinity) < Infinity) peaks.add(own[resource] ?? 0);
  }
  return [...peaks].sort((a, b) => a - b);
}

/** Whether some choice of places exceeds a capacity. */
export function canRunOut({ items, places }: Problem, resource: number, capacity: number): boolean {
  let use = 0;
  let peak = 0;
  for (const item of items) {
    let most = 0;
    for (let p = 0; p < places; p++) {
      if ((item.cost[p] ?? Infinity) === Infinity) continue;
      most = Math.max(most, item.use[p]?.[resource] ?? 0);
      peak = Math.max(peak, item.peak[p]?.[resource] ?? 0);
    }
    use += most;
  }
  return use + peak > capacity;
}
