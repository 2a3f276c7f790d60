/** What the page and its workers say to each other. */
import type { ErrorCode } from '../../../src/error-codes.js';
import type { Device } from '../../../src/planner/map/device-map.js';
import type { Infeasible } from '../../../src/planner/plan/choice/infeasible.js';
import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import type { PlannedPoint, SweepRange } from '../../../src/planner/plan/comparison/sweep.js';
import type { Workload } from '../../../src/planner/profile/workload/workload.js';
import type { OpenModel } from '../model/open-model.js';
import type { CarriedOptions } from '../settings/plan-options.js';
import type { Settings } from '../settings/settings.js';

export type Order =
  | { readonly kind: 'model'; readonly model: OpenModel; readonly table: string | null }
  | { readonly kind: 'highs'; readonly script: string; readonly wasmBinary: ArrayBuffer }
  | (Wanted & Question);

export type Wanted =
  | {
      readonly kind: 'plan';
      /** Whether the page shows a plan that comes near: then none is looked for before the search. */
      readonly hasNear: boolean;
    }
  | {
      readonly kind: 'sweep';
      readonly range: SweepRange;
      /** Of the plan beside it, where that chose how many pictures go at once. */
      readonly workload: Workload | null;
    };

export interface Question {
  /** Grows; an answer has that of its question. */
  readonly id: number;
  readonly settings: Settings;
  readonly carried?: CarriedOptions;
}

export type PlanAnswer = { readonly status: 'fits'; readonly plan: PlanDocument } | Infeasible;

/** What `device_map="auto"` would do with the same memory, by the same prices. */
export type AutoAnswer =
  | {
      readonly status: 'priced';
      readonly plan: PlanDocument;
      /** Bytes beyond the budget, per device that has too little. */
      readonly overBudget: readonly { readonly device: Device; readonly bytes: number }[];
    }
  | { readonly status: 'unknown'; readonly why: string };

export type Reply =
  | {
      readonly kind: 'plan';
      readonly id: number;
      readonly answer: PlanAnswer;
      /** Whether HiGHS goes on, and may find a better one. */
      readonly isInterim: boolean;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'auto'; readonly id: number; readonly auto: AutoAnswer }
  | ({ readonly kind: 'point'; readonly id: number } & PlannedPoint)
  | { readonly kind: 'failed'; readonly id: number; readonly fault: Fault }
  /** The question is answered; nothing more comes of it. */
  | { readonly kind: 'done'; readonly id: number };

/** An error as text. */
export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
}
