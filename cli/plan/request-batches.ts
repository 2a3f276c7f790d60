import { autoBatches, type Budgets, type Objective } from '../../src/planner/index.js';
import { usageError } from '../common/main.js';

export interface BatchArgs {
  readonly batch?: number | 'auto' | undefined;
  readonly objective: Objective;
}

/**
 * Numbers of pictures per call to choose from; none for one picture, and where GPUs are spared rather than time.
 * @throws Blip2Error `USAGE`
 */
export function batchesOf(
  { batch = 1, objective }: BatchArgs,
  budgets: Budgets,
): { readonly batches?: readonly number[] } {
  if (objective === 'fewest-devices') {
    if (batch !== 'auto') return {};
    throw usageError(
      '--batch auto is for the most pictures per second, --objective fewest-devices for the fewest GPUs',
    );
  }
  if (batch === 1) return {};
  return { batches: batch === 'auto' ? autoBatches(budgets) : [batch] };
}
