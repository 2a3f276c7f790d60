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

  it('counts whole shards: a card that has none waits for those that have', () => {
    // Ten shards on eight cards: two cards have a second one.
    const few = { ...request, pictures: 10_000, hours: null };
    expect(planFleet({ ...few, cards: 8 }).hours).toBeCloseTo(2000 / 250 / 3600);
    expect(planFleet({ ...few, cards: 10 }).hours).toBeCloseTo(1000 / 250 / 3600);
    expect(planFleet({ ...few, pictures: 300, cards: 8 }).hours).toBeCloseTo(300 / 250 / 3600);
  });

  it('is over in time with the cards that it names, and with none less', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.nat(1000),
        (n, size, more) => {
          const shards = Math.ceil(n / size);
          // Else the server is what ends it.
          fc.pre(shards <= 8 * size);
          // A time in which one card has room for a shard at least.
          const hours = (size * (1 + (more % shards))) / 250 / 3600;
          const of = { ...request, pictures: n, shardSize: size };
          const { cards } = planFleet({ ...of, hours });
          const hoursOf = (count: number) => planFleet({ ...of, hours: null, cards: count }).hours;
          expect(hoursOf(cards)).toBeLessThanOrEqual(hours * (1 + 1e-9));
          if (cards > 1) expect(hoursOf(cards - 1)).toBeGreaterThan(hours * (1 - 1e-9));
        },
      ),
    );
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
