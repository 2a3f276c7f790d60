/**
 * Only the largest peak on a resource counts, so the search is repeated for each range that the peaks may lie in, with
 * that much set aside: a box is one such range per resource.
 */
import { at } from '../../checked-access.js';
import { realAt } from './number-at.js';
import type { Chain, Levels } from './chain.js';
import { peaksWithin, rangesOf, type Range } from './peaks.js';
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
  readonly bound: number;
}

export type BoxSides = Pick<Box, 'levels' | 'floors' | 'capacities'>;

/** As many as let all their bounds be found in a fraction of a second. */
const MOST_BOXES = 64;
const STATES_PER_BOX_SEARCH = 30_000;
/** How far apart the peaks of one range may be, as fractions of the capacity. */
const COARSE = 1 / 64;
const FINE = [1 / 1024, 1 / 512, 1 / 256, 1 / 128];
/** Boxes that one is cut into at most. */
const MOST_PARTS = 12;

/** Every combination of peak ranges that leaves room on every resource. */
export function peakBoxes(chain: Chain): BoxSides[] {
  const states = chain.stages.reduce((sum, stage) => sum + stage.states, 1);
  const most = Math.max(3, Math.min(MOST_BOXES, STATES_PER_BOX_SEARCH / states));
  const whole = Array.from({ length: chain.resources }, (): Range => ({ floor: 0, level: Infinity }));
  return combined(chain, cut(chain, whole, [COARSE], most));
}

/** The parts of a box whose bounds could not close it, each of which knows its peaks better. */
export function boxParts(chain: Chain, { floors, levels }: BoxSides): BoxSides[] {
  const sides = Array.from(floors, (floor, r): Range => ({ floor, level: realAt(levels, r) }));
  return combined(chain, cut(chain, sides, FINE, MOST_PARTS));
}

/** Cuts the sides of a box as finely as gives `most` boxes: all alike if that goes, else those with the most peaks. */
function cut(chain: Chain, sides: readonly Range[], widths: readonly number[], most: number): Range[][] {
  const cutBy = (width: number): Range[][] =>
    sides.map((side, r) => rangesOf(peaksWithin(chain, r, side), width * realAt(chain.capacities, r)));
  for (const width of widths) {
    const ranges = cutBy(width);
    if (ranges.reduce((product, own) => product * own.length, 1) <= most) return ranges;
  }
  const result = cutBy(Infinity);
  const byCount = cutBy(at(widths, widths.length - 1))
    .map((own, r) => ({ r, count: own.length }))
    .sort((a, b) => b.count - a.count || a.r - b.r);
  let count = 1;
  for (const { r } of byCount) {
    const finest = widths.map((width) => at(cutBy(width), r)).find((own) => count * own.length <= most);
    if (finest === undefined) continue;
    result[r] = finest;
    count *= finest.length;
  }
  return result;
}

function combined(chain: Chain, ranges: readonly (readonly Range[])[]): BoxSides[] {
  let sets: Range[][] = [[]];
  for (const each of ranges) sets = sets.flatMap((set) => each.map((range) => [...set, range]));
  return sets
    .map((set) => ({
      levels: Float64Array.from(set, (range) => range.level),
      floors: Float64Array.from(set, (range) => range.floor),
      capacities: chain.capacities.map((capacity, r) => capacity - at(set, r).floor),
    }))
    .filter(({ capacities }) => capacities.every((capacity) => capacity >= 0));
}
