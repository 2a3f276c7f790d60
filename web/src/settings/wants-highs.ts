import { needsIntegerSolver } from '../../../src/planner/plan/request/needs-integer-solver.js';
import { cardsOf, memoryOf } from './card-groups.js';
import type { Settings } from './settings.js';

/** Whether the command would load HiGHS for these settings, as its `--time-limit` says or by itself. */
export function wantsHighs(settings: Settings): boolean {
  const { ramBytes, diskBytes, objective, searchSeconds } = settings;
  if (searchSeconds !== null) return searchSeconds >= 1;
  const gpus = new Map(cardsOf(settings.groups).map((card, id) => [id, memoryOf(card)]));
  return needsIntegerSolver({ gpus, ramBytes, diskBytes }, objective);
}
