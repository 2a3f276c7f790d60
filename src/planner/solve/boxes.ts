/**
 * Only the largest peak on a resource counts, so the search is repeated for each range that the peaks may lie in, with
 * that much set aside: a box is one such range per resource.
 */
import type { Chain, Levels } from './chain.js';
import { rangesOf, type Range } from './peaks.js';
import type { BoundSearch } from './prices.js';

/** Placements whose peaks lie between two levels, on every resource. */
export interface Box {
  /** Places with a higher peak are closed. */
  readonly levels: Levels;
  /** Bytes that the peaks reach at least, which nothing else can use. */
  readonly floors: Float64Array;
  /** What is left of the capacities. */
  readonly capacities: Float64Array;
  readonly search: BoundSearch;
  /** What the items are worth, from the last walk; null until the first. */
  readonly worth: Float64Array | null;
  readonly bound: number;
}

/** As many as let all their bounds be found in a fraction of a second. */
const MOST_BOXES = 48;
const STATES_PER_BOX_SEARCH = 30_000;
/** Widths of a range that are tried, as fractions of the capacity: the finest that gives few enough boxes is taken. */
const WIDTHS = [1 / 1024, 1 / 512, 1 / 256, 1 / 128, 1 / 64];

/**
 * Every combination of peak ranges that leaves room on every resource. Of equal devices (`before`: an equal one, or -1) the
 * earlier takes the larger peak.
 */
export function peakBoxes(chain: Chain, before: Int32Array): Pick<Box, 'levels' | 'floors' | 'capacities'>[] {
  let ranges: Range[][] = [[]];
  for (const each of peakRanges(chain)) ranges = ranges.flatMap((set) => each.map((range) => [...set, range]));
  return ranges
    .map((set) => ({
      levels: Float64Array.from(set, (range) => range.level),
      floors: Float64Array.from(set, (range) => range.floor),
      capacities: chain.capacities.map((capacity, r) => capacity - (set[r]?.floor ?? 0)),
    }))
    .filter(({ capacities }) => capacities.every((capacity) => capacity >= 0))
    .filter(({ floors }) => before.every((a, b) => a < 0 || (floors[a] ?? 0) >= (floors[b] ?? 0)));
}

/** Ranges of peaks per resource, as fine as there are boxes to spare. */
function peakRanges(chain: Chain): Range[][] {
  const states = chain.stages.reduce((sum, stage) => sum + stage.states, 1);
  const most = Math.max(3, Math.min(MOST_BOXES, STATES_PER_BOX_SEARCH / states));
  const at = (width: number): Range[][] =>
    Array.from({ length: chain.resources }, (_, r) => rangesOf(chain, r, width * (chain.capacities[r] ?? 0)));
  // One device alone is proven quickly in any case; there every box only costs time.
  for (const width of chain.resources === 1 ? WIDTHS.slice(-1) : WIDTHS) {
    const ranges = at(width);
    if (ranges.reduce((product, own) => product * own.length, 1) <= most) return ranges;
  }
  // All together they are too many: the resources with the most peaks are cut, as far as it goes.
  const coarse = at(Infinity);
  const byCount = at(WIDTHS.at(-1) ?? 1)
    .map((own, r) => ({ r, count: own.length }))
    .sort((a, b) => b.count - a.count || a.r - b.r);
  let count = 1;
  for (const { r } of byCount) {
    const finest = WIDTHS.map((width) => at(width)[r] ?? []).find((own) => count * own.length <= most);
    if (finest === undefined) continue;
    coarse[r] = finest;
    count *= finest.length;
  }
  return coarse;
}
