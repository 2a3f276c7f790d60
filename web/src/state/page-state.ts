import type { PlannedPoint, SweepPoint, SweepRange } from '../../../src/planner/plan/comparison/sweep.js';
import type { Measurement } from '../../../src/planner/report/svg/measured-comparison.js';
import type { OpenModel } from '../model/open-model.js';
import type { Settings } from '../settings/settings.js';
import type { AutoAnswer, Fault, PlanAnswer } from '../worker/messages.js';

export type ModelState =
  | { readonly status: 'opening'; readonly id: string }
  | { readonly status: 'open'; readonly model: OpenModel }
  | { readonly status: 'failed'; readonly fault: Fault };

export interface ShownAnswer {
  /** What it answers; not what is set now where the search has not ended. */
  readonly settings: Settings;
  readonly answer: PlanAnswer;
  /** `final` is what the command gives; `fits` is a plan for less memory, shown until the search ends. */
  readonly standing: 'final' | 'fits';
  readonly warnings: readonly string[];
  readonly auto: AutoAnswer | null;
}

export interface SweepState {
  readonly range: SweepRange;
  readonly points: readonly SweepPoint[];
  readonly isDone: boolean;
}

export interface PageState {
  readonly settings: Settings;
  /** What the address said wrongly. */
  readonly addressFaults: readonly string[];
  readonly model: ModelState;
  readonly shown: ShownAnswer | null;
  /** Why there is no answer. */
  readonly fault: Fault | null;
  readonly isSearching: boolean;
  readonly sweep: SweepState | null;
  /** Of the model that was dropped or came with a report; null without one. */
  readonly heldId: string | null;
  readonly measured: Measurement | null;
  /** What the command was told and the page has no field for, as flags. */
  readonly carriedFlags: readonly string[];
}

export type { PlannedPoint };
