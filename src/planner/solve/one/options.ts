/** The ways through a step that are worth a look: none is worse than another in everything, and none costs too much. */
import { PATHS } from './arcs.js';
import { leastWays } from './lines.js';
import type { Choice, Step } from './steps.js';

/** Some items of a step in places: so many in one, and those of the parts. */
export interface Option {
  readonly cost: number;
  readonly bytes: number;
  readonly place: number;
  readonly count: number;
  readonly parts: readonly Option[];
}

/** Ascending in bytes, descending in cost. */
type Front = readonly Option[];

export interface Options {
  /** By path. */
  readonly ways: readonly Front[];
  /** What the cheapest of those left out costs more than the least at least, bytes priced. */
  readonly beyond: number;
}

const NOTHING: Option = { cost: 0, bytes: 0, place: -1, count: 0, parts: [] };

/** @param gap how much more than the least of its path a way may cost, bytes priced */
export function optionsOf(step: Step, price: number, gap: number): Options {
  const count = step.run.length;
  let beyond = Infinity;
  const wanted = (excess: number): boolean => {
    if (excess <= gap) return true;
    if (excess < beyond) beyond = excess;
    return false;
  };
  if (count === 1) {
    const ways = step.choices.map((own) => {
      const least = leastOf(own, price);
      return best(own.filter((each) => wanted(priced(each, price) - least)).map((each) => several(each, 1)));
    });
    return { ways, beyond };
  }
  const least = step.choices.map((own) => leastOf(own, price));
  const parts = step.choices.map((own) => partsOf(own, price, wanted));
  const ways = leastWays(step, price).map(({ value }, path): Front => {
    const [first, last] = PATHS[path] ?? [0, 0];
    const found: Option[] = [];
    if (value === Infinity) return found;
    for (let onA = 0; onA <= count; onA++) {
      const onB = count - onA;
      const crossings = crossingsOf(first, last, onA, onB);
      if (crossings === null) continue;
      const toll = crossings * step.toll;
      const alone = (onA === 0 ? 0 : onA * (least[0] ?? Infinity)) + (onB === 0 ? 0 : onB * (least[1] ?? Infinity));
      if (alone === Infinity || !wanted(alone + toll - value)) continue;
      for (const a of parts[0]?.(onA) ?? []) {
        for (const b of onB === 0 ? [NOTHING] : (parts[1]?.(onB) ?? [])) {
          const cost = a.cost + b.cost + toll;
          const bytes = a.bytes + b.bytes;
          if (!wanted(cost + price * bytes - value)) continue;
          found.push(onA === 0 ? b : onB === 0 ? a : { cost, bytes, place: -1, count: 0, parts: [a, b] });
        }
      }
    }
    return best(found);
  });
  return { ways, beyond };
}

/** Between items that begin and end on given devices, so many on each; null where that is impossible. */
function crossingsOf(first: number, last: number, onA: number, onB: number): number | null {
  if (first !== last) return onA > 0 && onB > 0 ? 1 : null;
  const own = first === 0 ? onA : onB;
  const other = first === 0 ? onB : onA;
  if (other === 0) return 0;
  return own < 2 ? null : 2;
}

/** For so many items on one device: the fronts of all numbers per choice. */
function partsOf(
  choices: readonly Choice[],
  price: number,
  wanted: (excess: number) => boolean,
): (count: number) => Front {
  const least = leastOf(choices, price);
  const useful = best(choices.map((each) => several(each, 1)));
  let all: (count: number) => Front = (count) => (count === 0 ? [NOTHING] : []);
  for (const each of useful) {
    const others = all;
    const known: (Front | undefined)[] = [];
    const excess = priced(each, price) - least;
    all = (count) =>
      (known[count] ??= best(
        Array.from({ length: count + 1 }, (_, own): Front => {
          if (!wanted(own * excess)) return [];
          const mine = several(each, own);
          if (own === count) return [mine];
          const sums: Option[] = [];
          for (const other of others(count - own)) {
            const cost = mine.cost + other.cost;
            const bytes = mine.bytes + other.bytes;
            if (!wanted(cost + price * bytes - count * least)) continue;
            sums.push(own === 0 ? other : { cost, bytes, place: -1, count: 0, parts: [mine, other] });
          }
          return sums;
        }).flat(),
      ));
  }
  return all;
}

function several({ cost, bytes, place }: Choice | Option, count: number): Option {
  return { cost: count * cost, bytes: count * bytes, place, count, parts: [] };
}

function priced({ cost, bytes }: { readonly cost: number; readonly bytes: number }, price: number): number {
  return cost + price * bytes;
}

function leastOf(choices: readonly Choice[], price: number): number {
  let least = Infinity;
  for (const each of choices) least = Math.min(least, priced(each, price));
  return least;
}

/** Those that no other undercuts in both bytes and cost. */
function best(options: Option[]): Front {
  if (options.length < 2) return options;
  options.sort((a, b) => a.bytes - b.bytes || a.cost - b.cost);
  const front: Option[] = [];
  let lowest = Infinity;
  for (const option of options) {
    if (option.cost >= lowest) continue;
    lowest = option.cost;
    front.push(option);
  }
  return front;
}

/** How many items of an option are in each place. */
export function countsOf({ place, count, parts }: Option, counts = new Map<number, number>()): Map<number, number> {
  if (count > 0) counts.set(place, (counts.get(place) ?? 0) + count);
  for (const part of parts) countsOf(part, counts);
  return counts;
}
