/**
 * A problem in parts: in each, the largest peak on a resource lies in one range. What the peaks of a range have in common
 * is no longer there to be filled, and places with higher peaks are closed, so that a part's linear program cannot hold a
 * fraction of a peak, which is what makes the whole problem's bound low where peaks are large.
 */
import { at } from '../../../checked-access.js';
import { numberAt } from '../number-at.js';
import { rangesOf, type Range } from '../peaks.js';
import type { Item, Problem } from '../problem.js';
import { peaksOf, scarceResources } from '../resources.js';

/** Peaks no further apart than this fraction of the capacity are one range. */
const WIDTH = 1 / 64;
const MOST_PARTS = 16;

/** Every placement that fits the problem fits one of the parts, and the other way round; just the problem where peaks are alike. */
export function peakParts(problem: Problem): Problem[] {
  let parts = [problem];
  const split = scarceResources(problem)
    .map((resource) => {
      const width = WIDTH * numberAt(problem.capacities, resource);
      return { resource, ranges: rangesOf(peaksOf(problem, resource), width) };
    })
    .filter(({ ranges }) => ranges.length > 1)
    .sort((a, b) => a.ranges.length - b.ranges.length);
  for (const { resource, ranges } of split) {
    if (parts.length * ranges.length > MOST_PARTS) break;
    parts = parts.flatMap((part) => ranges.map((range) => withPeaksIn(part, resource, range)));
  }
  return parts.filter(({ items, capacities }) => isOpen(items) && capacities.every((capacity) => capacity >= 0));
}

function isOpen(items: readonly Item[]): boolean {
  return items.every(({ cost }) => cost.some((own) => own < Infinity));
}

function withPeaksIn(problem: Problem, resource: number, { floor, level }: Range): Problem {
  const lowered = new Map<Item['peak'], number[][]>();
  const items = problem.items.map((item): Item => {
    const peak =
      lowered.get(item.peak) ??
      item.peak.map((row) => row.map((bytes, r) => (r === resource ? Math.max(0, bytes - floor) : bytes)));
    lowered.set(item.peak, peak);
    const cost = item.cost.map((own, p) => (numberAt(at(item.peak, p), resource) > level ? Infinity : own));
    return { ...item, cost, peak };
  });
  return {
    ...problem,
    items,
    capacities: problem.capacities.map((capacity, r) => (r === resource ? capacity - floor : capacity)),
  };
}
