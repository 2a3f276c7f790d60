import type { MachineProfile } from '../../price/device-profile.js';
import type { PriceList } from '../../price/price-list.js';
import type { Place } from '../../price/place.js';
import type { LoadDtype } from '../../../tensor/load-dtype.js';
import type { ModelProfile } from '../../profile/model-profile.js';
import type { Budgets } from '../request/budgets.js';
import type { SolverReport } from './plan-document.js';
import type { CheckpointIdentity } from '../request/plan-options.js';

/** What a plan document is made of. */
export interface PlanInput {
  readonly tool: { readonly name: string; readonly version: string };
  readonly checkpoint: CheckpointIdentity;
  readonly profile: ModelProfile;
  readonly dtypes: ReadonlyMap<string, LoadDtype>;
  readonly budgets: Budgets;
  /** See `PlanContext`. */
  readonly turnsBytes: number;
  /** GPU number -> bytes that the engine takes beside the model, those taken in turns included. */
  readonly overheads: ReadonlyMap<number, number>;
  /** GPU number -> bytes to leave free. */
  readonly reserves: ReadonlyMap<number, number>;
  readonly machine: MachineProfile;
  /** What the solver weighs, and what is predicted. */
  readonly prices: PriceList;
  readonly predicted: PriceList;
  /** Block -> bytes of float32 that the CPU's part of a start makes of its weights. */
  readonly convertedBytes: ReadonlyMap<string, number>;
  /** A place for every block of the profile. */
  readonly choice: readonly Place[];
  readonly solver: SolverReport;
  readonly assumptions: readonly string[];
  readonly warnings: readonly string[];
}
