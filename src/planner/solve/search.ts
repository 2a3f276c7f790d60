/** Boxes of peaks, bounded and walked again and again with more labels until nothing is left open. */
import { realAt } from './number-at.js';
import { forcedUse, peakBoxes, wholeBox } from './boxes.js';
import { layOut } from './chain.js';
import { decompose } from './decomposition.js';
import { localSearch } from './local-search.js';

import { bestBound, type BoundedBox } from './prices.js';
import { costOf, type Problem, type Solution } from './problem.js';
import { walk, type WalkRules } from './walk.js';

export interface SolveOptions {
  /** Most labels kept per item. */
  readonly width?: number;
  /** Labels tried altogether before the search settles for its best answer; of more than two devices fewer, as each costs more. */
  readonly effort?: number;
  /** Only placements cheaper than this are of interest. */
  readonly cutoff?: number;
  /** Asked now and then; true stops the search with its best answer, which is sought at least until there is one. */
  readonly stop?: () => boolean;
}

/** Labels kept per item, and most pairs of a device's front. Narrow passes find good placements, which make wide ones cheap. */
const PASSES = [
  { width: 4, pairs: 100 },
  { width: 64, pairs: 400 },
  { width: 512, pairs: 1000 },
  { width: 4000, pairs: 4000 },
  { width: 32_000, pairs: 4000 },
];
/** Costs closer than this fraction are equal. */
const SAME = 1e-9;

/** The best placement met, and what every placement costs at least: Infinity where none is better, or none fits. */
export function search(problem: Problem, limits: Required<SolveOptions>): { best: Solution | null; bound: number } {
  const chain = layOut(problem, 'backward');
  const effort = limits.effort * Math.min(1, 2 / Math.max(1, chain.resources));
  let best: Solution | null = null;
  let tried = 0;
  const upper = (): number => best?.cost ?? limits.cutoff;
  const rules: WalkRules = {
    isCutOff: (bound) => bound >= upper() * (1 - SAME),
    isSpent: (labels) => (tried += labels) > effort || limits.stop(),
    offer: (choice) => {
      const places = Array.from(choice).toReversed();
      const cost = costOf(problem, places);
      if (cost < upper() * (1 - SAME)) best = { choice: places, cost };
    },
  };

  /** The box with a better bound, or nothing once it is closed. */
  const walked = (box: BoundedBox, width: number, pairs: number): BoundedBox[] => {
    if (rules.isCutOff(box.bound)) return [];
    if (rules.isSpent(0)) return [box];
    const decomposition = decompose(chain, box, { pairs, upper: upper() });
    const bound = Math.max(box.bound, decomposition.bound);
    if (rules.isCutOff(bound)) return [];
    const left = walk(chain, box, decomposition, width, rules);
    return left === Infinity ? [] : [{ ...box, bound: Math.max(bound, left) }];
  };

  const least = forcedUse(chain, wholeBox(chain));
  if (chain.capacities.some((capacity, r) => realAt(least, r) > capacity)) return { best, bound: Infinity };
  let boxes = peakBoxes(chain)
    .map((box) => bestBound(chain, box, upper, rules.offer))
    .filter(({ bound }) => bound < Infinity);
  for (const pass of PASSES) {
    const width = Math.min(pass.width, limits.width);
    const before: Solution | null = best;
    boxes = boxes.sort((a, b) => a.bound - b.bound).flatMap((box) => walked(box, width, pass.pairs));
    if (boxes.length === 0 || rules.isSpent(0) || width === limits.width) break;
    if (chain.resources > 1 && best !== null && best !== before) best = localSearch(problem, best, limits.stop);
  }
  const open = boxes.map(({ bound }) => bound).filter((bound) => !rules.isCutOff(bound));
  return { best, bound: Math.min(Infinity, ...open) };
}
