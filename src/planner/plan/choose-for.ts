/**
 * What a plan is best at.
 *
 * - `latency`: one call takes the least time.
 * - `throughput`: calls follow one another through the devices, each of which works on its part of another call, so what
 * - `fewest-devices`: as few GPUs as possible, at least one where any is offered; among those, latency.
 */
import type { GpuProfile } from '../price/device-profile.js';
import { choosePlaces, type Answer, type ChooseOptions } from './choose-places.js';
import { takenBytes, type PlanContext } from './context.js';
import { shortestTurn } from './shortest-turn.js';
import type { Objective } from './plan-document.js';

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
  const ids = [...context.budgets.gpus.keys()].sort((a, b) => a - b);
  let certain = true;
  for (let count = ids.length === 0 ? 0 : 1; count <= ids.length; count++) {
    let best: Answer = { status: 'none', proven: true, cost: Infinity };
    let bound = Infinity;
    for (const kept of distinctSets(context, ids, count)) {
      const answer = choosePlaces(withOnly(context, kept), options);
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

/** Sets of `count` GPUs, one of each kind: equal cards with equal room are interchangeable. */
function distinctSets(context: PlanContext, ids: readonly number[], count: number): number[][] {
  const { machine, budgets } = context;
  const kinds = new Map<GpuProfile | undefined, number>();
  const kindOf = ids.map((id, index) => {
    const profile = machine.gpus[index] ?? machine.gpus.at(-1);
    if (!kinds.has(profile)) kinds.set(profile, kinds.size);
    return `${kinds.get(profile)}:${(budgets.gpus.get(id) ?? 0) - takenBytes(context, id)}`;
  });
  const seen = new Set<string>();
  const sets: number[][] = [];
  const extend = (from: number, chosen: readonly number[]): void => {
    if (chosen.length === count) {
      const key = chosen.map((index) => kindOf[index]).join();
      if (!seen.has(key)) {
        seen.add(key);
        sets.push(chosen.map((index) => ids[index] ?? 0));
      }
      return;
    }
    for (let index = from; index < ids.length; index++) extend(index + 1, [...chosen, index]);
  };
  extend(0, []);
  return sets;
}

/** The same request with nothing to be had of the other GPUs. */
function withOnly(context: PlanContext, kept: readonly number[]): PlanContext {
  const { budgets } = context;
  const gpus = new Map([...budgets.gpus].map(([id, bytes]) => [id, kept.includes(id) ? bytes : 0]));
  return { ...context, budgets: { ...budgets, gpus } };
}
