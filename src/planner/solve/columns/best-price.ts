/**
 * The price per byte at which a device's bytes are just used up: what tells the placements that may be its best from hopeless
 * ones. What it earns at a price, and the price of its capacity, are an upper bound made of straight lines; the next price is
 * where the lines of the two nearest ones meet.
 */
import type { Bidder } from '../share-fronts.js';

export interface PricedTake {
  readonly price: number;
  /** What a placement that fits earns. */
  readonly value: number;
  /** No placement earns more. */
  readonly most: number;
}

const STEPS = 12;

export function bestPrice(bidder: Bidder, worth: Float64Array): PricedTake {
  const { capacity } = bidder;
  const free = takeAt(bidder, worth, 0);
  if (free.weight <= capacity) return { price: 0, value: free.value, most: free.value };
  let low = free;
  let high = takeAt(bidder, worth, steepest(bidder, worth));
  // Even the dearest price leaves something too heavy: items that must be taken, which only the front can tell.
  if (high.weight > capacity) return { price: high.price, value: -Infinity, most: Infinity };
  let best = high;
  for (let step = 0; step < STEPS; step++) {
    const price = (low.value - high.value) / (low.weight - high.weight);
    if (!(price > low.price && price < high.price)) break;
    const next = takeAt(bidder, worth, price);
    if (next.weight > capacity) low = next;
    else {
      high = next;
      if (next.value > best.value) best = next;
    }
    if (next.weight === capacity) break;
  }
  const mostAt = ({ value, weight, price }: Line): number => value + price * (capacity - weight);
  const tight = mostAt(low) < mostAt(high) ? low : high;
  return { price: tight.price, value: best.value, most: mostAt(tight) };
}

/** The best placement at a price: what it earns without the price, and what it weighs. */
interface Line {
  readonly price: number;
  readonly value: number;
  readonly weight: number;
}

function takeAt({ share, options }: Bidder, worth: Float64Array, price: number): Line {
  let outValue = 0;
  let outWeight = 0;
  let inValue = -Infinity;
  let inWeight = 0;
  for (const [i, own] of options.entries()) {
    const toll = share.tolls[i] ?? 0;
    let gain = -Infinity;
    let value = 0;
    let weight = 0;
    for (const option of own) {
      const earned = (worth[i] ?? 0) - option.cost;
      if (earned - price * option.weight <= gain) continue;
      gain = earned - price * option.weight;
      value = earned;
      weight = option.weight;
    }
    const entering = outValue - toll - price * outWeight;
    const staying = inValue - price * inWeight;
    const leaving = staying - toll;
    const nextIn =
      gain === -Infinity
        ? [-Infinity, 0]
        : entering > staying
          ? [outValue - toll + value, outWeight + weight]
          : [inValue + value, inWeight + weight];
    if (leaving > outValue - price * outWeight) {
      outValue = inValue - toll;
      outWeight = inWeight;
    }
    [inValue = -Infinity, inWeight = 0] = nextIn;
  }
  const inside = inValue - price * inWeight > outValue - price * outWeight;
  return inside ? { price, value: inValue, weight: inWeight } : { price, value: outValue, weight: outWeight };
}

/** Twice the most that a byte of any item earns. */
function steepest({ options }: Bidder, worth: Float64Array): number {
  let most = 0;
  for (const [i, own] of options.entries()) {
    for (const { weight, cost } of own) if (weight > 0) most = Math.max(most, ((worth[i] ?? 0) - cost) / weight);
  }
  return 2 * most;
}
