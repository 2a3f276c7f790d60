/** What a device would hold if it chose alone: the load that earns most, at what items are worth and bytes cost elsewhere. */
import { at } from '../../../checked-access.js';
import { peaksWithin, rangesOf, type Range } from '../boxes.js';
import type { Chain } from '../chain.js';
import { deviceFronts, knapsackOptions, profitBound, type DeviceKnapsack } from '../device-knapsack.js';
import type { DevicePlaces } from '../device-places.js';
import { realAt } from '../number-at.js';
import { valueWithin, type ValueFront } from '../value-front.js';

/** How far apart peaks that are taken as one may be, as a fraction of the capacity. */
const SAME_PEAK = 1 / 2000;
const MOST_PAIRS = 4000;
const PRICE_STEPS = 28;
/** Items with bonds, of which every set that a device may hold is looked at. Bonds of others cost nothing. */
const MOST_SOURCES = 2;

/** Items on a device, and where. */
export type Load = readonly (readonly [item: number, place: number])[];

/** Two items that are no neighbours: a device that holds one without the other pays an end; without end where they share a place. */
export interface Bond {
  readonly source: number;
  readonly reader: number;
  readonly end: number;
}

export interface LoadDevice {
  readonly places: DevicePlaces;
  readonly bonds: readonly Bond[];
}

export interface Worth {
  /** Per item. */
  readonly items: Float64Array;
  /** Per resource and byte, of resources that places of several devices use. */
  readonly bytes: Float64Array;
  /** What a unit of cost counts for. */
  readonly cost: number;
  /** More than any load is worth. */
  readonly whole: number;
}

/**
 * @param within the largest peak of the device
 * @param least what a load has to earn
 * @returns the load that earns most, or null where none earns more than `least`, and what none exceeds
 */
export function bestLoad(
  chain: Chain,
  device: LoadDevice,
  within: Range,
  worth: Worth,
  least: number,
): { profit: number; load: Load | null } {
  let profit = least;
  let load: Load | null = null;
  for (const trial of trialsOf(chain, device, within, worth).sort((a, b) => b.most - a.most)) {
    if (trial.most <= profit) break;
    const { knapsack, items, fixed } = trial;
    const fronts = deviceFronts(knapsack, items, profit - fixed);
    const most = valueWithin(at(fronts, 0), knapsack.capacity) + fixed;
    if (most <= profit) continue;
    profit = most;
    load = traced(knapsack, items, fronts);
  }
  return { profit, load };
}

/** The device's knapsacks, for every set of bonded items that it may hold and height of its peak, and the most that each is worth. */
function trialsOf(chain: Chain, { places, bonds }: LoadDevice, within: Range, worth: Worth) {
  const { resource } = places;
  const device = { ...places, endCosts: places.endCosts.map((end) => end * worth.cost) };
  const cost = chain.cost.map((own) => (own === Infinity ? own : own * worth.cost));
  const whole = resource < 0 ? Infinity : realAt(chain.capacities, resource);
  const peaks = resource < 0 ? [within] : rangesOf(peaksWithin(chain, resource, within), SAME_PEAK * whole);
  const open = peaks.map(({ floor, level }) => {
    const levels = Float64Array.from(chain.capacities, (_, r) => (r === resource ? level : Infinity));
    const options = knapsackOptions({ ...chain, cost }, device, worth.bytes, levels);
    return { options, capacity: whole - Math.max(floor, within.floor) };
  });
  return holdings(bonds, worth).flatMap(({ items, closed, fixed }) => {
    let price: number | null = null;
    return open.flatMap(({ options: all, capacity }) => {
      if (capacity < 0) return [];
      const options = all.map((own, i) => (closed.has(i) ? [] : own));
      const free = { device, options, capacity, price: 0, pairs: MOST_PAIRS };
      price ??= bestPrice(free, items, worth.whole);
      const knapsack = { ...free, price };
      return [{ knapsack, items, fixed, most: profitBound(knapsack, items) + fixed }];
    });
  });
}

/** What items are worth to a device by which of the bonded ones it holds; `fixed` is added to what a load is worth. */
function holdings(bonds: readonly Bond[], worth: Worth) {
  const sources = [...new Set(bonds.map(({ source }) => source))].slice(0, MOST_SOURCES);
  return Array.from({ length: 2 ** sources.length }, (_, set) => {
    const items = worth.items.slice();
    const closed = new Set<number>();
    let fixed = 0;
    const settle = (item: number, isHeld: boolean): void => {
      if (!isHeld) closed.add(item);
      else {
        items[item] = realAt(items, item) + worth.whole;
        fixed -= worth.whole;
      }
    };
    for (const [k, source] of sources.entries()) {
      const isHeld = ((set >> k) & 1) === 1;
      settle(source, isHeld);
      for (const { reader, end } of bonds.filter((own) => own.source === source)) {
        if (end === Infinity) settle(reader, isHeld);
        else {
          // The source's end is paid unless the reader is here, the reader's own if the source is not.
          const cost = end * worth.cost;
          items[reader] = realAt(items, reader) + (isHeld ? cost : -cost);
          if (isHeld) fixed -= cost;
        }
      }
    }
    return { items, closed, fixed };
  });
}

/** The price per byte that bounds the knapsack best. */
function bestPrice(knapsack: DeviceKnapsack, items: Float64Array, whole: number): number {
  if (knapsack.capacity === Infinity) return 0;
  let low = 0;
  let high = (2 * whole) / Math.max(1, knapsack.capacity);
  for (let k = 0; k < PRICE_STEPS; k++) {
    const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
    if (profitBound({ ...knapsack, price: a }, items) < profitBound({ ...knapsack, price: b }, items)) high = b;
    else low = a;
  }
  return (low + high) / 2;
}

/** The load that the fronts end with. */
function traced(
  { device, options, capacity }: DeviceKnapsack,
  items: Float64Array,
  fronts: readonly ValueFront[],
): Load {
  const load: [number, number][] = [];
  let room = capacity;
  let isHere = false;
  for (const [i, own] of options.entries()) {
    const endCost = realAt(device.endCosts, i);
    let most = valueWithin(at(fronts, 2 * i + 2), room) - (isHere ? endCost : 0);
    let pick: (typeof own)[number] | null = null;
    for (const option of own) {
      const rest = valueWithin(at(fronts, 2 * i + 3), room - option.weight) - (isHere ? 0 : endCost);
      const value = rest + realAt(items, i) - option.cost;
      if (value <= most) continue;
      most = value;
      pick = option;
    }
    isHere = pick !== null;
    if (pick === null) continue;
    room -= pick.weight;
    load.push([i, pick.place]);
  }
  return load;
}
