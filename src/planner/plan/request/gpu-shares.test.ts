import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../../price/known-devices.js';
import { gpuShares, preparePlan } from './prepare-plan.js';

const tensors = new Map([['model.layers.0.fc.weight', { dtype: 'F16', shape: [64, 64] } as const]]);
const [gpu] = KNOWN_GPUS.values();

it('adds up to the budget of every GPU, in the order of their numbers', () => {
  const gpus = fc.uniqueArray(fc.tuple(fc.nat(40), fc.nat(2 ** 31)), { selector: ([id]) => id, maxLength: 8 });
  fc.assert(
    fc.property(gpus, fc.nat(2 ** 30), fc.boolean(), (given, reserveBytes, countContext) => {
      const budgets = { gpus: new Map(given), ramBytes: null, diskBytes: 0 };
      const machine = { gpus: gpu === undefined ? [] : [gpu], host: UNKNOWN_HOST };
      const shares = gpuShares(preparePlan(tensors, { budgets, machine, reserveBytes, countContext }));
      expect(shares.map(({ id }) => id)).toEqual(given.map(([id]) => id).sort((a, b) => a - b));
      for (const share of shares) {
        expect(share.budgetBytes).toBe(budgets.gpus.get(share.id));
        expect(share.overheadBytes + share.reserveBytes + share.roomBytes).toBe(share.budgetBytes);
        expect(Math.min(share.overheadBytes, share.reserveBytes, share.roomBytes)).toBeGreaterThanOrEqual(0);
        if (share.roomBytes > 0) expect(share.reserveBytes).toBe(reserveBytes);
      }
    }),
  );
});
