/** What a plan takes for granted before a placement is chosen, in words. */
import type { Engine } from '../../map/engine.js';
import { accuracyRule } from '../../price/accuracy.js';
import { gpuAt, type MachineProfile } from '../../price/device-profile.js';
import { needsIntegerSolver } from './needs-integer-solver.js';
import type { PlanOptions } from './plan-options.js';

export function assumptionsOf(machine: MachineProfile, engine: Engine, options: PlanOptions): string[] {
  const { budgets, objective, allowQuant = [] } = options;
  const gpus = new Set([...budgets.gpus.keys()].map((_, i) => gpuAt(machine, i)).filter((gpu) => gpu !== undefined));
  return [
    ...[...gpus, machine.host].map((device) => `${device.name}: ${device.source}.`),
    ...(budgets.ramBytes === null ? ['Host memory is taken to be enough: no RAM budget was given.'] : []),
    ...(objective === 'throughput' ? ofThroughput(engine) : []),
    ...accuracyRule(allowQuant),
    ...heuristic(options),
  ];
}

/** Nothing of it was measured on several cards. */
function ofThroughput(engine: Engine): string[] {
  return [
    'Throughput: calls follow one another through the devices, which neither engine arranges by itself; copies between devices take none of their time.',
    'Throughput: caches are counted for one call at a time.',
    ...(engine === 'transformers'
      ? [
          'Throughput: every GPU is driven by a Python interpreter of its own; those of one process wait for each other.',
        ]
      : []),
  ];
}

/** What the planner's own search does not prove. */
function heuristic({ integerSolver, budgets, objective }: PlanOptions): string[] {
  const isSearch = objective !== 'throughput' && budgets.gpus.size <= 2;
  return integerSolver !== undefined || isSearch || !needsIntegerSolver(budgets, objective)
    ? []
    : ["No integer solver was given: this placement is a heuristic's, and an integer solver may find a faster one."];
}
