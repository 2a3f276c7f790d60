/**
 * What a plan is best at.
 *
 * - `latency`: one call takes the least time.
 * - `throughput`: calls follow one another through the devices, each of which works on its part of another call, so what
 * - `fewest-devices`: as few GPUs as possible, at least one where any is offered; among those, latency.
 */
import { at } from '../../../checked-access.js';
import { gpuAt, type GpuProfile } from '../../price/device-profile.js';
import { leastCost } from '../../solve/exact.js';
import { casesOf, type Answer } from './cases.js';
import { choosePlaces, type ChooseOptions } from './choose-places.js';
import { gpuShares, type PlanContext } from '../request/prepare-plan.js';
import { shortestTurn } from './shortest-turn.js';
import type { Objective } from '../request/plan-options.js';

/** `cost` and `bound` of the answer are in the objective's terms: of the busiest device for `throughput`. */
export function chooseFor(objective: Objective, context: PlanContext, options: ChooseOptions = {}): Answer {
  switch (objective) {
    case 'latency':
      return choosePlaces(context, options);
    case 'throughput':
      return shortestTurn(context, options);
    case 'fewest-devices':
      return fewestGpus(context, options);
  }
}

function fewestGpus(context: PlanContext, options: ChooseOptions): Answer {
  const { size } = context.budgets.gpus;
  let certain = true;
  for (let count = Math.min(1, size); count <= size; count++) {
    let best: Answer = { status: 'none', proven: true, cost: Infinity };
    let bound = Infinity;
    for (const kept of bestSets(context, count)) {
      const own = withOnly(context, kept);
      if (hasNoRoom(own)) continue;
      const answer = choosePlaces(own, options);
      if (answer.status === 'none') certain &&= answer.proven;
      else {
        bound = Math.min(bound, answer.bound);
        if (answer.cost < best.cost) best = answer;
      }
    }
    if (best.status === 'none') continue;
    const proven = certain && bound >= best.cost * (1 - 1e-9);
    return { ...best, status: proven ? 'optimal' : 'stopped', bound: Math.min(bound, best.cost) };
  }
  return { status: 'none', proven: certain, cost: Infinity };
}

/** Whether it is proven that nothing fits: much sooner than a search for the fastest placement would find out. */
function hasNoRoom(context: PlanContext): boolean {
  return casesOf(context).every(({ problem, bound }) => bound === Infinity || leastCost(problem) === Infinity);
}

/** A GPU as far as a set of them is concerned. */
interface Card {
  readonly id: number;
  readonly profile: GpuProfile;
  /** Bytes for the model. */
  readonly room: number;
}

/**
 * Sets of `count` GPUs without those that another set replaces card by card, by equal cards with as much room or more. For
 * transformers the order of their numbers is kept, as it makes the first the main one.
 */
export function bestSets(context: PlanContext, count: number): number[][] {
  const { machine, profile } = context;
  const cards = gpuShares(context).map(({ id, roomBytes }, index): Card => ({
    id,
    profile: gpuAt(machine, index),
    room: roomBytes,
  }));
  if (profile.engine === 'blip2-run') cards.sort((a, b) => b.room - a.room);
  const sets: (readonly Card[])[] = [];
  const extend = (from: number, chosen: readonly Card[]): void => {
    if (chosen.length === count) {
      if (!sets.some((other) => replaces(other, chosen))) sets.push(chosen);
      return;
    }
    for (const [offset, card] of cards.slice(from).entries()) extend(from + offset + 1, [...chosen, card]);
  };
  extend(0, []);
  const best = sets.filter((set, i) => !sets.slice(i + 1).some((other) => replaces(other, set)));
  return best.map((set) => set.map(({ id }) => id).sort((a, b) => a - b));
}

function replaces(better: readonly Card[], set: readonly Card[]): boolean {
  return set.every(({ profile, room }, i) => at(better, i).profile === profile && at(better, i).room >= room);
}

/** The same request with nothing to be had of the other GPUs. */
export function withOnly(context: PlanContext, kept: readonly number[]): PlanContext {
  const { budgets } = context;
  const gpus = new Map([...budgets.gpus].map(([id, bytes]) => [id, kept.includes(id) ? bytes : 0]));
  return { ...context, budgets: { ...budgets, gpus } };
}
