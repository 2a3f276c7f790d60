/** What `throughput` takes for granted, in words for the plan: nothing of it was measured on several cards. */
import type { Engine } from '../../map/engine.js';

export function turnAssumptions(engine: Engine): string[] {
  return [
    'Throughput: calls follow one another through the devices, which neither engine arranges by itself; copies between devices take none of their time.',
    'Throughput: caches are counted for one call at a time.',
    ...(engine === 'transformers'
      ? [
          'Throughput: every GPU is driven by a Python interpreter of its own; those of one process wait for each other.',
        ]
      : []),
  ];
}
