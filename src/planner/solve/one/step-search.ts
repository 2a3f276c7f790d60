/**
 * The best placement where one resource at most can run out, by steps.
 *
 * Ranges of peaks are bounded by lines and cut, the most promising first; a single peak is walked through with what may cost
 * a little more than its bound, then more and more, until something is found: what cost less has been ruled out.
 */
import { spread } from '../integer/spread.js';
import { costOf, type Problem, type Solution } from '../problem.js';
import { PATHS } from './arcs.js';
import { bends, lineAt, type Line } from './lines.js';
import { countsOf, optionsOf } from './options.js';
import { pruned, type Label } from './step-labels.js';
import { withPeaksUpTo, type Step, type Steps } from './steps.js';

export interface StepLimits {
  /** Only placements that cost less are of interest. */
  readonly cutoff: number;
  /** Most labels kept per step. */
  readonly width: number;
  /** Labels tried altogether. */
  readonly effort: number;
  readonly stop: () => boolean;
}

/** Placements whose largest peak lies in a range of the distinct ones. */
interface Range {
  readonly low: number;
  readonly high: number;
  /** Without choices of higher peaks. */
  readonly steps: readonly Step[];
  /** What is left of the capacity. */
  readonly room: number;
  /** Prices at which lines are of use, ascending. */
  readonly prices: readonly number[];
  /** The line with the best bound. */
  readonly line: Line;
  readonly bound: number;
  /** How far beyond its bound the next walk looks. */
  readonly reach: number;
  readonly width: number;
  /** The lines that labels are bounded by; null until the first walk. */
  readonly lines: readonly Line[] | null;
}

/** Costs closer than this fraction are equal. */
const SAME = 1e-9;
/** How far beyond the bound the first walk looks, as a fraction; each further walk looks so many times as far. */
const FIRST_REACH = 0.002;
const FURTHER = 3;
/** Where costs are nothing. */
const TINY = 1e-9;
const FIRST_WIDTH = 256;
/** Lines beside the best one that labels are bounded by. */
const MOST_LINES = 16;

export class StepSearch {
  labels = 0;
  private readonly problem: Problem;
  private readonly steps: readonly Step[];
  private readonly peaks: readonly number[];
  private readonly capacity: number;
  private readonly devices: readonly number[];
  private readonly limits: StepLimits;
  private best: Solution | null = null;
  private halted = false;

  constructor(problem: Problem, { steps, capacity, peaks, devices }: Steps, limits: StepLimits) {
    this.problem = problem;
    this.steps = steps;
    this.peaks = peaks;
    this.capacity = capacity;
    this.devices = devices;
    this.limits = limits;
  }

  /** The best placement met, and what every placement costs at least: Infinity where none is better, or none fits. */
  run(): { best: Solution | null; bound: number } {
    let open = this.bounded(0, this.peaks.length - 1, 0);
    let exhausted = Infinity;
    while (open.length > 0 && !this.halted) {
      open.sort((a, b) => a.bound - b.bound || a.low - b.low);
      const [range] = open.splice(0, 1);
      if (range === undefined || this.beaten(range.bound)) break;
      if (range.low < range.high) {
        const middle = (range.low + range.high) >>> 1;
        open.push(
          ...this.bounded(range.low, middle, range.bound),
          ...this.bounded(middle + 1, range.high, range.bound),
        );
        continue;
      }
      const left = this.walked(range);
      if (left.bound === Infinity) continue;
      if (left.width > this.limits.width) exhausted = Math.min(exhausted, left.bound);
      else open.push(left);
    }
    const bound = Math.min(exhausted, ...open.map((range) => range.bound));
    return { best: this.best, bound: this.beaten(bound) ? Infinity : bound };
  }

  /** The range with its bound, unless nothing of it fits or is cheap enough. */
  private bounded(low: number, high: number, least: number): Range[] {
    const steps = withPeaksUpTo(this.steps, this.peaks[high] ?? 0);
    const room = this.capacity - (this.peaks[low] ?? 0);
    if ((fewestBytes(steps)[0] ?? 0) > room) return [];
    const prices = bends(steps);
    let line = lineAt(0, steps);
    // Bounds rise with the price until the cheapest way fits.
    let from = 0;
    let to = line.bytes > room ? prices.length : 0;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const own = lineAt(prices[middle] ?? 0, steps);
      if (boundOf(own, room) > boundOf(line, room)) line = own;
      if (own.bytes > room) from = middle + 1;
      else to = middle;
    }
    const bound = Math.max(least, boundOf(line, room));
    if (line.least === Infinity || this.beaten(bound)) return [];
    const reach = Math.max(TINY, FIRST_REACH * Math.abs(bound));
    return [{ low, high, steps, room, prices, line, bound, reach, width: FIRST_WIDTH, lines: null }];
  }

  /** Walks through the steps within reach of the bound; returns the range with what is left open. */
  private walked(range: Range): Range {
    const { limits } = this;
    const { steps, room, line } = range;
    const width = Math.min(range.width, limits.width);
    const enough = Math.min(range.bound + range.reach, this.upper() * (1 - SAME));
    const lines = range.lines ?? linesOf(range);
    const fewest = fewestBytes(steps);
    const base = boundOf(line, room);
    let beyond = Infinity;
    let dropped = Infinity;
    let layer: readonly Label[] = [START];
    for (const [s, step] of steps.entries()) {
      const options = optionsOf(step, line.price, enough - base);
      beyond = Math.min(beyond, base + options.beyond);
      const rests = lines.map(({ rest }) => rest[s + 1] ?? new Float64Array(0));
      const needed = fewest[s + 1] ?? 0;
      const grown: Label[] = [];
      for (const label of layer) {
        for (const { to, path, cost: entry } of step.arcs[label.state] ?? []) {
          for (const option of options.ways[path] ?? []) {
            const bytes = label.bytes + option.bytes;
            if (bytes + needed > room) break;
            this.labels += 1;
            const cost = label.cost + entry + option.cost;
            let bound = -Infinity;
            for (let k = 0; k < lines.length; k++) {
              const own = (rests[k]?.[to] ?? Infinity) - (lines[k]?.price ?? 0) * (room - bytes);
              if (own > bound) bound = own;
            }
            bound += cost;
            if (bound < enough) grown.push({ cost, bytes, bound, state: to, before: label, path, option });
            else if (bound < beyond) beyond = bound;
          }
        }
      }
      const kept = pruned(grown, width);
      dropped = Math.min(dropped, kept.dropped);
      layer = kept.labels;
      if (layer.length === 0) break;
      if (this.labels > limits.effort || limits.stop()) {
        this.halted = true;
        const left = layer.reduce((least, label) => Math.min(least, label.bound), Math.min(beyond, dropped));
        return { ...range, bound: Math.max(range.bound, left) };
      }
    }
    const [first = null, ...others] = layer;
    const cheapest = others.reduce((best, label) => (label.cost < (best?.cost ?? 0) ? label : best), first);
    if (cheapest !== null) this.offer(this.choiceOf(cheapest));
    const bound = Math.max(range.bound, Math.min(beyond, dropped));
    return {
      ...range,
      lines,
      bound,
      reach: beyond < dropped ? FURTHER * range.reach : range.reach,
      width: dropped < Infinity ? FURTHER * range.width : range.width,
    };
  }

  private choiceOf(end: Label): number[] {
    const { homes, items } = this.problem;
    const choice = items.map(() => 0);
    const labels: Label[] = [];
    for (let label: Label | null = end; label !== null; label = label.before) labels.push(label);
    for (const [s, { option, path }] of labels.toReversed().slice(1).entries()) {
      const run = this.steps[s]?.run ?? [];
      const [first, last] = PATHS[path] ?? [0, 0];
      const counts = option === null ? new Map<number, number>() : countsOf(option);
      const places = spread({ counts, first: this.devices[first] ?? -1, last: this.devices[last] ?? -1 }, homes);
      for (const [k, i] of run.entries()) {
        const sameAs = items[i]?.sameAs ?? null;
        choice[i] = sameAs === null ? (places[k] ?? 0) : (choice[sameAs] ?? 0);
      }
    }
    return choice;
  }

  private beaten(bound: number): boolean {
    return bound >= this.upper() * (1 - SAME);
  }

  private upper(): number {
    return this.best?.cost ?? this.limits.cutoff;
  }

  private offer(choice: readonly number[]): void {
    const cost = costOf(this.problem, choice);
    if (cost < this.upper() * (1 - SAME)) this.best = { choice, cost };
  }
}

const START: Label = { cost: 0, bytes: 0, bound: 0, state: 0, before: null, path: 0, option: null };

/** What every placement within a range costs at least. */
function boundOf({ least, price }: Line, room: number): number {
  return least - price * room;
}

/** The best line, and some others for states in which more or less room is left. */
function linesOf({ line, prices, steps }: Range): Line[] {
  const others = [0, ...prices].filter((price) => price !== line.price);
  const every = Math.max(1, others.length / MOST_LINES);
  const lines = [line];
  for (let at = 0; at < others.length; at += every) lines.push(lineAt(others[Math.floor(at)] ?? 0, steps));
  return lines;
}

/** `[step]`: bytes that the steps from there on take at least. */
function fewestBytes(steps: readonly Step[]): number[] {
  const fewest = [0];
  for (let s = steps.length - 1; s >= 0; s--) {
    let least = Infinity;
    for (const own of steps[s]?.choices ?? []) for (const { bytes } of own) least = Math.min(least, bytes);
    fewest.push((fewest.at(-1) ?? 0) + (steps[s]?.run.length ?? 0) * least);
  }
  return fewest.toReversed();
}
