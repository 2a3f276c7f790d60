import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planFleet, type FleetRequest } from './fleet-plan.js';

const request: FleetRequest = {
  pictures: 10_000_000,
  picturesPerSecond: 250,
  cardsPerMachine: 8,
  shardSize: 1000,
  hours: 2,
  cards: null,
  pictureBytes: 100_000,
  storageBytesPerSecond: null,
};

describe('planFleet', () => {
  it('divides the work, and says where more cards stop helping', () => {
    // 10^7 / 250 = 40,000 card seconds = 11.1 card hours.
    expect(planFleet(request)).toMatchObject({
      cards: 6,
      machines: 1,
      shards: 10_000,
      most: { server: 8000, storage: null },
    });
    expect(planFleet({ ...request, cards: 20, hours: null }).hours).toBeCloseTo(40_000 / 20 / 3600);
    const slow = planFleet({ ...request, cards: 20, hours: null, storageBytesPerSecond: 250_000_000 });
    expect(slow.most.storage).toBe(10);
    expect(slow.hours).toBeCloseTo(40_000 / 10 / 3600);
    expect(slow.cardHours).toBeCloseTo(20 * slow.hours);
  });

  it('never takes longer with more cards', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 1e9 }), (cards, storage) => {
        const hours = (of: number) =>
          planFleet({ ...request, hours: null, cards: of, storageBytesPerSecond: storage }).hours;
        expect(hours(cards + 1)).toBeLessThanOrEqual(hours(cards));
      }),
    );
  });
});
