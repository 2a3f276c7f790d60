/**
 * Subset sums: the bytes of a resource that the rest of a chain can add up to. Room between two of them is of no use, so
 * labels that differ in nothing else are the same, and a few kinds of blocks many times over have few sums.
 */
import { countUpTo } from './ascending.js';
import { at } from '../../checked-access.js';
import { realAt } from './number-at.js';
import type { Chain, Levels } from './chain.js';

/** Amounts kept per item; where there are more, rounding to one of them gains nothing. */
const MOST_SUMS = 256;
const MOST_AMOUNTS = 1024;

export class SubsetSums {
  private readonly chain: Chain;
  private readonly levels: Levels;
  /** `[resource][item]`: what the items from there on can add up to, ascending; null where that is too many sums. */
  private readonly sums: (readonly (Float64Array | null)[])[] = [];
  /** Peaks that the items from one on may have, by item and resource. */
  private readonly peaks: (number[] | undefined)[] = [];
  /** The amounts by item and resource, for each peak that came before. */
  private readonly amounts: (Map<number, Float64Array | null> | undefined)[] = [];

  constructor(chain: Chain, levels: Levels) {
    this.chain = chain;
    this.levels = levels;
  }

  /** `use` of a resource before item `from`, with the room added that no choice for the rest can fill. */
  rounded(from: number, resource: number, use: number, peak: number): number {
    const amounts = this.amountsFrom(from, resource, peak);
    if (amounts === null) return use;
    const capacity = realAt(this.chain.capacities, resource);
    const count = countUpTo(amounts, capacity - use);
    return count === 0 ? use : capacity - realAt(amounts, count - 1);
  }

  /** What the rest may need, with the largest peak: its own or the one before. */
  private amountsFrom(from: number, resource: number, peak: number): Float64Array | null {
    // With one device, labels are too few for this to pay.
    if (this.chain.resources < 2) return null;
    const sums = at((this.sums[resource] ??= sumsFrom(this.chain, this.levels, resource)), from);
    if (sums === null) return null;
    const slot = from * this.chain.resources + resource;
    const known = (this.amounts[slot] ??= new Map());
    const found = known.get(peak);
    if (found !== undefined) return found;
    const rest = (this.peaks[slot] ??= this.peaksFrom(from, resource));
    const peaks = [...new Set(rest.map((own) => Math.max(own, peak)))];
    const amounts =
      sums.length * peaks.length > MOST_AMOUNTS
        ? null
        : Float64Array.from(new Set(peaks.flatMap((own) => Array.from(sums, (sum) => sum + own)))).sort();
    known.set(peak, amounts);
    return amounts;
  }

  private peaksFrom(from: number, resource: number): number[] {
    const { items, places, resources, cost, peak } = this.chain;
    const peaks = new Set([0]);
    for (let ip = from * places; ip < items * places; ip++) {
      const own = realAt(peak, ip * resources + resource);
      if (realAt(cost, ip) < Infinity && own <= realAt(this.levels, resource)) peaks.add(own);
    }
    return [...peaks];
  }
}

function sumsFrom(chain: Chain, levels: Levels, resource: number): (Float64Array | null)[] {
  const { items, places, resources, cost, use, peak, capacities } = chain;
  const capacity = realAt(capacities, resource);
  const result: (Float64Array | null)[] = Array.from({ length: items + 1 }, () => null);
  let sums: Float64Array = Float64Array.of(0);
  result[items] = sums;
  for (let i = items - 1; i >= 0; i--) {
    const steps = new Set<number>();
    for (let ip = i * places; ip < (i + 1) * places; ip++) {
      const open = realAt(cost, ip) < Infinity && realAt(peak, ip * resources + resource) <= realAt(levels, resource);
      if (open) steps.add(realAt(use, ip * resources + resource));
    }
    if (steps.size > 1 || !steps.has(0)) {
      const next = new Set<number>();
      for (const step of steps) for (const sum of sums) if (sum + step <= capacity) next.add(sum + step);
      if (next.size > MOST_SUMS) break;
      sums = Float64Array.from(next).sort();
    }
    result[i] = sums;
  }
  return result;
}
