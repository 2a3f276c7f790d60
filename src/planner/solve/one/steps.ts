/**
 * A problem of two devices as few steps: items that are alike and follow one another are one step, of which only the
 * devices of its first and last item and the numbers per place matter.
 */
import { canRunOut } from '../chain.js';
import { crossingEnds } from '../integer/crossing-ends.js';
import { runsOf, type Run } from '../integer/runs.js';
import type { Input, Problem } from '../problem.js';
import { arcsOf, type Arc, type Link } from './arcs.js';

/** A place of an item, with what later items bonded to it add. */
export interface Choice {
  readonly place: number;
  readonly cost: number;
  /** Of the resource that can run out. */
  readonly bytes: number;
  /** Bytes that count only while an item runs. */
  readonly peak: number;
}

export interface Step {
  readonly run: Run;
  /** Per device. */
  readonly choices: readonly (readonly Choice[])[];
  /** Of going to the other device between two items of the run. */
  readonly toll: number;
  /** Per state before the step. */
  readonly arcs: readonly (readonly Arc[])[];
}

export interface Steps {
  readonly steps: readonly Step[];
  /** The devices of the problem by the numbers that paths and choices give them: two at most. */
  readonly devices: readonly number[];
  /** Of the resource that can run out; 0 where there is none, and then nothing takes any. */
  readonly capacity: number;
  /** Distinct peaks of all choices, ascending. */
  readonly peaks: readonly number[];
}

/** More than these say that few items are alike: then labels item by item find better placements sooner. */
const MOST_STEPS = 256;

/**
 * null where more than one resource can run out, there are more than two devices, crossings depend on more than those, or
 * too few items are alike.
 */
export function stepsOf(problem: Problem): Steps | null {
  const { items, homes, capacities } = problem;
  const scarce = capacities.flatMap((capacity, r) => (canRunOut(problem, r, capacity) ? [r] : []));
  const devices = [...new Set(homes.filter((_, p) => items.some((item) => (item.cost[p] ?? Infinity) < Infinity)))];
  if (scarce.length > 1 || devices.length > 2) return null;
  const endsOf = crossingEnds(homes);
  const known = new Map<Input['cost'], number | null>();
  const tollOf = (crossing: Input['cost']): number | null => {
    const found = known.get(crossing);
    if (found !== undefined) return found;
    const ends = endsOf(crossing);
    const sum = devices.reduce((total, device) => total + (ends?.get(device) ?? 0), 0);
    const toll = ends === null ? null : devices.length < 2 ? 0 : sum;
    known.set(crossing, toll);
    return toll;
  };
  if (items.some(({ inputs }) => inputs.some(({ cost }) => tollOf(cost) === null))) return null;

  const runs = runsOf(problem);
  if (runs.length > MOST_STEPS) return null;
  const stepOf: number[] = [];
  for (const [s, run] of runs.entries()) for (const i of run) stepOf[i] = s;
  const links = runs.map((run): Link => {
    const item = items[run[0] ?? 0];
    return {
      single: run.length === 1,
      sameAs: typeof item?.sameAs === 'number' ? (stepOf[item.sameAs] ?? 0) : null,
      inputs: (item?.inputs ?? []).map(({ from, cost }) => ({ from: stepOf[from] ?? 0, toll: tollOf(cost) ?? 0 })),
    };
  });
  const arcs = arcsOf(links, devices.length);
  if (arcs === null) return null;
  const [resource = -1] = scarce;
  const choices = choicesOf(problem, runs, devices, resource);
  const steps = runs.map((run, s): Step => {
    const within = items[run[1] ?? -1]?.inputs[0];
    return {
      run,
      choices: choices[s] ?? [],
      toll: within === undefined ? 0 : (tollOf(within.cost) ?? 0),
      arcs: arcs[s] ?? [],
    };
  });
  const peaks = new Set<number>();
  for (const step of steps) for (const own of step.choices) for (const { peak } of own) peaks.add(peak);
  return { steps, devices, capacity: capacities[resource] ?? 0, peaks: [...peaks].sort((a, b) => a - b) };
}

/** The steps without the choices of higher peaks. */
export function withPeaksUpTo(steps: readonly Step[], level: number): Step[] {
  return steps.map((step) => ({
    run: step.run,
    choices: step.choices.map((own) => own.filter(({ peak }) => peak <= level)),
    toll: step.toll,
    arcs: step.arcs,
  }));
}

/** `[step][device]`. What a bond's later members add is counted with the first, and their own choices are free. */
function choicesOf(
  { items, homes }: Problem,
  runs: readonly Run[],
  devices: readonly number[],
  resource: number,
): Choice[][][] {
  const leaders: number[] = [];
  const members = new Map<number, number[]>();
  for (const [i, { sameAs }] of items.entries()) {
    const leader = sameAs === null ? i : (leaders[sameAs] ?? sameAs);
    leaders.push(leader);
    if (leader !== i) members.set(leader, [...(members.get(leader) ?? []), i]);
  }
  const choiceOf = (i: number, place: number): Choice => {
    let cost = 0;
    let bytes = 0;
    let peak = 0;
    for (const k of [i, ...(members.get(i) ?? [])]) {
      const item = items[k];
      cost += item?.cost[place] ?? Infinity;
      bytes += item?.use[place]?.[resource] ?? 0;
      peak = Math.max(peak, item?.peak[place]?.[resource] ?? 0);
    }
    return { place, cost, bytes, peak };
  };
  return runs.map(([i = 0]) =>
    devices.map((device) => {
      if (leaders[i] !== i) return [{ place: -1, cost: 0, bytes: 0, peak: 0 }];
      return homes
        .flatMap((home, place) => (home === device ? [choiceOf(i, place)] : []))
        .filter(({ cost }) => cost < Infinity);
    }),
  );
}
