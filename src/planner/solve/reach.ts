/**
 * Bytes that the rest of a chain could still take of a resource. Room between two such amounts is of no use: labels that
 * differ in nothing else are the same, and a few kinds of blocks many times over have few such amounts.
 */
import type { Chain, Levels } from './chain.js';

/** Amounts kept per item; where there are more, rounding to one of them gains nothing. */
const MOST_SUMS = 256;
const MOST_AMOUNTS = 1024;

export class Reach {
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
    const capacity = this.chain.capacities[resource] ?? 0;
    const room = capacity - use;
    let low = 0;
    let high = amounts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((amounts[middle] ?? Infinity) <= room) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? use : capacity - (amounts[low - 1] ?? 0);
  }

  /** What the rest may need, with the largest peak: its own or the one before. */
  private amountsFrom(from: number, resource: number, peak: number): Float64Array | null {
    // With one device, labels are too few for this to pay.
    if (this.chain.resources < 2) return null;
    const sums = (this.sums[resource] ??= sumsFrom(this.chain, this.levels, resource))[from] ?? null;
    if (sums === null) return null;
    const at = from * this.chain.resources + resource;
    const known = (this.amounts[at] ??= new Map());
    const found = known.get(peak);
    if (found !== undefined) return found;
    const rest = (this.peaks[at] ??= this.peaksFrom(from, resource));
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
      const own = peak[ip * resources + resource] ?? 0;
      if ((cost[ip] ?? Infinity) < Infinity && own <= (this.levels[resource] ?? 0)) peaks.add(own);
    }
    return [...peaks];
  }
}

function sumsFrom(chain: Chain, levels: Levels, resource: number): (Float64Array | null)[] {
  const { items, places, resources, cost, use, peak, capacities } = chain;
  const capacity = capacities[resource] ?? 0;
  const result: (Float64Array | null)[] = Array.from({ length: items + 1 }, () => null);
  let sums: Float64Array = Float64Array.of(0);
  result[items] = sums;
  for (let i = items - 1; i >= 0; i--) {
    const steps = new Set<number>();
    for (let ip = i * places; ip < (i + 1) * places; ip++) {
      const open =
        (cost[ip] ?? Infinity) < Infinity && (peak[ip * resources + resource] ?? 0) <= (levels[resource] ?? 0);
      if (open) steps.add(use[ip * resources + resource] ?? 0);
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
