import { expect, it } from 'vitest';
import { parseSize } from '../../src/planner/index.js';
import { asPlanned } from './as-planned.js';
import type { RequestArgs } from './request-flags.js';

it('asks for the budgets of a plan to the byte, also for those so small that a number alone is no size', () => {
  const document = {
    schema: 'blip2-device-map/plan/1',
    checkpoint: {},
    devices: [
      { id: 0, name: 'a card', budgetBytes: 1_000_000, reserveBytes: 4096 },
      { id: 1, name: 'a card', budgetBytes: 6_442_450_944 },
      { id: 'cpu', budgetBytes: 999_999 },
      { id: 'disk', budgetBytes: 0 },
    ],
  };
  const { vram, ram, disk, reserve } = asPlanned({} as RequestArgs, document).args;
  const sizes = [...(vram ?? []), ram, reserve, disk].map((size) => parseSize(size ?? 'none'));
  expect(sizes).toEqual([1_000_000, 6_442_450_944, 999_999, 4096, 0]);
});
