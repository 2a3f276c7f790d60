/** Boxes of peaks, bounded and walked again and again with more labels until nothing is left open. */
import { halves, peakBoxes } from './boxes.js';
import { layOut } from './chain.js';
import { decompose } from './decomposition.js';
import { bestBound, type BoundedBox } from './prices.js';
import { costOf, dearest, reversed, type Answer, type Problem, type Solution } from './problem.js';
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
/** Labels that are tried for a first placement, whatever says stop. */
const UNSTOPPED = 10_000;
/** Costs closer than this fraction are equal. */
const SAME = 1e-9;
/** Peaks that are apart by more than this fraction of the capacity are told apart. */
const FAR_APART = 1 / 64;
/** Of the gap: what telling peaks apart has to close elsewhere. */
const WORTH_PARTS = 0.2;

export function search(problem: Problem, limits: Required<SolveOptions>): Answer {
  const chain = layOut(reversed(problem));
  const effort = limits.effort * Math.min(1, 2 / Math.max(1, chain.resources));
  let best = null as Solution | null;
  let tried = 0;
  // Bounds beyond all costs say that nothing fits.
  const most = Math.min(limits.cutoff, 1 + 2 * dearest(problem));
  const upper = (): number => best?.cost ?? most;
  const rules: WalkRules = {
    isCutOff: (bound) => bound >= upper() * (1 - SAME),
    isSpent: (labels) => (tried += labels) > effort || ((best !== null || tried > UNSTOPPED) && limits.stop()),
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

  /** The box in parts, without those that are ruled out: where its peaks are far apart, or where parts have better bounds. */
  const refined = (box: BoundedBox): BoundedBox[] => {
    if (rules.isCutOff(box.bound)) return [];
    const { parts, apart } = halves(chain, box);
    if (parts.length === 0) return [box];
    const open = parts
      .map((part) => bestBound(chain, part, upper, rules.offer))
      .filter(({ bound }) => !rules.isCutOff(bound));
    const enough = box.bound + WORTH_PARTS * (upper() - box.bound);
    const isWorth = open.length < 2 || Math.min(...open.map(({ bound }) => bound)) >= enough;
    return apart > FAR_APART || isWorth ? open.flatMap(refined) : [box];
  };

  let boxes = peakBoxes(chain)
    .map((box) => bestBound(chain, box, upper, rules.offer))
    .filter(({ bound }) => !rules.isCutOff(bound));
  for (const pass of PASSES) {
    const width = Math.min(pass.width, limits.width);
    if ((best !== null || limits.cutoff < Infinity) && chain.resources > 1) boxes = boxes.flatMap(refined);
    boxes = boxes.sort((a, b) => a.bound - b.bound).flatMap((box) => walked(box, width, pass.pairs));
    if (boxes.length === 0 || rules.isSpent(0) || width === limits.width) break;
  }
  const open = boxes.filter((box) => !rules.isCutOff(box.bound));
  const bound = Math.min(best?.cost ?? Infinity, ...open.map((box) => box.bound));
  return { solution: best, bound };
}
