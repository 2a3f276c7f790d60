/**
 * What the rest of the steps costs at least when bytes have a price instead of a limit: a line over the room that is left.
 * The highest of some such lines bounds the rest well, however much room there is.
 */
import { PATHS } from './arcs.js';
import type { Choice, Step } from './steps.js';

export interface Line {
  /** Per byte. */
  readonly price: number;
  /** `[step][state before it]`: bytes priced; the last entry is that of the end. */
  readonly rest: readonly Float64Array[];
  /** The least of all placements, bytes priced, and the bytes that such a one takes. */
  readonly least: number;
  readonly bytes: number;
}

export function lineAt(price: number, steps: readonly Step[]): Line {
  let after = new Float64Array(END_STATES);
  let bytes = new Float64Array(END_STATES);
  const rest = [after];
  for (let s = steps.length - 1; s >= 0; s--) {
    const step = steps[s];
    if (step === undefined) continue;
    const ways = leastWays(step, price);
    const own = new Float64Array(step.arcs.length).fill(Infinity);
    const taken = new Float64Array(own.length);
    for (let state = 0; state < own.length; state++) {
      for (const { to, path, cost } of step.arcs[state] ?? []) {
        const way = ways[path] ?? NO_WAY;
        const value = cost + way.value + (after[to] ?? 0);
        if (value >= (own[state] ?? 0)) continue;
        own[state] = value;
        taken[state] = way.bytes + (bytes[to] ?? 0);
      }
    }
    rest.push(own);
    after = own;
    bytes = taken;
  }
  return { price, rest: rest.toReversed(), least: after[0] ?? Infinity, bytes: bytes[0] ?? 0 };
}

/** On one of two devices. */
const END_STATES = 2;

/** What a step costs at least, bytes priced, and the bytes it then takes. */
export interface Way {
  readonly value: number;
  readonly bytes: number;
}

const NO_WAY: Way = { value: Infinity, bytes: 0 };

/** By path. */
export function leastWays({ run, choices, toll }: Step, price: number): Way[] {
  const a = leastOf(choices[0], price);
  const b = leastOf(choices[1], price);
  const count = run.length;
  if (count === 1) return [a, b];
  return PATHS.map(([first, last]) => {
    if (first !== last) return mixed(a, b, count, 1, count - 1, toll);
    const own = first === 0 ? a : b;
    const whole = { value: count * own.value, bytes: count * own.bytes };
    const other = first === 0 ? mixed(a, b, count, 2, count - 1, 2 * toll) : mixed(a, b, count, 1, count - 2, 2 * toll);
    return whole.value <= other.value ? whole : other;
  });
}

/** So many items on two devices, on the first between `fewest` and `most`. */
function mixed(a: Way, b: Way, count: number, fewest: number, most: number, toll: number): Way {
  if (fewest > most || a === NO_WAY || b === NO_WAY) return NO_WAY;
  const onA = a.value <= b.value ? most : fewest;
  return {
    value: onA * a.value + (count - onA) * b.value + toll,
    bytes: onA * a.bytes + (count - onA) * b.bytes,
  };
}

function leastOf(choices: readonly Choice[] | undefined, price: number): Way {
  let least = NO_WAY;
  for (const { cost, bytes } of choices ?? []) {
    const value = cost + price * bytes;
    if (value < least.value) least = { value, bytes };
  }
  return least;
}

/** Prices at which some item's choices for fewer bytes become as good, ascending: there the highest line changes. */
export function bends(steps: readonly Step[]): number[] {
  const prices = new Set<number>();
  for (const { choices } of steps) {
    const all = choices.flat();
    let from = all.reduce<Choice | null>((best, own) => (best === null || cheaper(own, best) ? own : best), null);
    // Along the lower hull, from the cheapest choice to the one with the fewest bytes.
    while (from !== null) {
      let price = Infinity;
      let next: Choice | null = null;
      for (const choice of all) {
        if (choice.bytes >= from.bytes) continue;
        const own = (choice.cost - from.cost) / (from.bytes - choice.bytes);
        if (own > price || (own === price && choice.bytes >= (next?.bytes ?? 0))) continue;
        price = own;
        next = choice;
      }
      if (next !== null) prices.add(price);
      from = next;
    }
  }
  return [...prices].sort((x, y) => x - y);
}

function cheaper(a: Choice, b: Choice): boolean {
  return a.cost < b.cost || (a.cost === b.cost && a.bytes < b.bytes);
}
