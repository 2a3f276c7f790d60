/**
 * Only the largest peak on a resource counts, so the search is repeated for each range that the peaks may lie in, with
 * that much set aside: a box is one such range per resource.
 */
import { at } from '../../checked-access.js';
import { realAt } from './number-at.js';
import type { Chain } from './chain.js';

/** Heights of peaks. */
export interface Range {
  readonly floor: number;
  readonly level: number;
}

export const ANY: Range = { floor: 0, level: Infinity };

/** The peaks that open places have on a resource, within a range. */
export function peaksWithin(chain: Chain, resource: number, { floor, level }: Range): Set<number> {
  const peaks = new Set<number>();
  for (let ip = 0; ip < chain.items * chain.places; ip++) {
    const peak = realAt(chain.peak, ip * chain.resources + resource);
    if (realAt(chain.cost, ip) < Infinity && peak >= floor && peak <= level) peaks.add(peak);
  }
  return peaks;
}

/** Ascending ranges of peaks, those no further apart than `width` in one. */
export function rangesOf(peaks: Iterable<number>, width: number): Range[] {
  const ranges: Range[] = [];
  for (const peak of [...peaks].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && peak - last.floor <= width) ranges[ranges.length - 1] = { ...last, level: peak };
    else ranges.push({ floor: peak, level: peak });
  }
  return ranges;
}

/** Placements whose peaks lie between two levels, on every resource. */
export interface Box {
  /** Upper limits on `peak`: places that exceed one are closed. */
  readonly levels: Float64Array;
  /** Bytes that the peaks reach at least, which nothing else can use. */
  readonly floors: Float64Array;
  /** What is left of the capacities. */
  readonly capacities: Float64Array;
}

/** To begin with: halving the open ones takes less time than bounds of as many as there are heights. */
const MOST_BOXES = 12;
/** How far apart the peaks of one range may be, as a fraction of the capacity, if that does not make too many boxes. */
const COARSE = 1 / 64;

function boxOf(chain: Chain, ranges: readonly Range[]): Box {
  const floors = Float64Array.from(ranges, ({ floor }) => floor);
  const capacities = chain.capacities.map((capacity, r) => capacity - realAt(floors, r));
  return { floors, capacities, levels: Float64Array.from(ranges, ({ level }) => level) };
}

/** All placements. */
export function wholeBox(chain: Chain): Box {
  return boxOf(
    chain,
    Array.from(chain.capacities, () => ANY),
  );
}

/** Every combination of peak ranges that leaves room on every resource. */
export function peakBoxes(chain: Chain): Box[] {
  const peaks = Array.from(chain.capacities, (_, r) => peaksWithin(chain, r, ANY));
  for (let width = COARSE; ; width *= 2) {
    const ranges = peaks.map((own, r) => rangesOf(own, width * realAt(chain.capacities, r)));
    if (width <= 1 && ranges.reduce((product, own) => product * own.length, 1) > MOST_BOXES) continue;
    let sets: Range[][] = [[]];
    for (const each of ranges) sets = sets.flatMap((set) => each.map((range) => [...set, range]));
    return sets
      .map((set) => boxOf(chain, set))
      .filter(({ capacities }) => capacities.every((capacity) => capacity >= 0));
  }
}

/** A box in two where its peaks are furthest apart, as a fraction of the capacity; no parts where they are all the same. */
export function halves(chain: Chain, { floors, levels }: Box): { parts: Box[]; apart: number } {
  const ranges = Array.from(floors, (floor, r) => ({ floor, level: realAt(levels, r) }));
  let apart = 0;
  let parts: Box[] = [];
  for (const [r, range] of ranges.entries()) {
    const peaks = [...peaksWithin(chain, r, range)].sort((a, b) => a - b);
    for (const [k, high] of peaks.slice(1).entries()) {
      const low = at(peaks, k);
      const share = (high - low) / realAt(chain.capacities, r);
      if (share <= apart) continue;
      apart = share;
      const both = [
        { ...range, level: low },
        { ...range, floor: high },
      ];
      parts = both.map((part) => boxOf(chain, ranges.with(r, part)));
    }
  }
  return { apart, parts: parts.filter(({ capacities }) => capacities.every((capacity) => capacity >= 0)) };
}
