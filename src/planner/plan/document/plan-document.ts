/** The whole plan as a JSON document. Same input, same bytes: nothing in it depends on when or how fast it was made. */
import type { Device } from '../../map/device-map.js';
import type { QuantScheme } from '../../../tensor/quantized.js';
import type { Place } from '../../price/place.js';
import type { LoadDtype } from '../../../tensor/load-dtype.js';
import type { PlannedClass } from '../../profile/model-profile.js';
import type { Engine } from '../../map/engine.js';
import type { Workload } from '../../profile/workload/workload.js';
import type { BlockPhase } from '../../../model/blocks.js';
import type { CheckpointIdentity, Objective } from '../request/plan-options.js';

/** What `schema` of a plan says; `schema/plan-1.schema.json` describes it. */
export const PLAN_SCHEMA = 'blip2-device-map/plan/1';

/** A device's memory, adding up: budget = weights + conversion + caches + buffers + activations + staging + overhead + reserve + free. */
export interface DeviceMemory {
  readonly id: Device;
  readonly name: string;
  /** null where no limit was set. */
  readonly budgetBytes: number | null;
  readonly weightBytes: number;
  /** float32 copies on a CPU without half-precision kernels, beyond `weightBytes`. */
  readonly conversionBytes: number;
  readonly cacheBytes: number;
  readonly bufferBytes: number;
  /** Activations and staged weights of the block with the largest sum of both. */
  readonly activationBytes: number;
  readonly stagingBytes: number;
  /** What the engine itself takes: workspaces of its libraries, and the driver's context where that is counted. */
  readonly overheadBytes: number;
  readonly reserveBytes: number;
  readonly freeBytes: number | null;
}

/** Where a block lives and where it runs. */
export interface Placement {
  /** Module path or root parameter. */
  readonly block: string;
  readonly phase: BlockPhase;
  /** The device map's value. */
  readonly device: Device;
  /** Whose memory the weights take: `device`, but for tables that the host looks rows up in for a GPU. */
  readonly weightsOn: Device;
  readonly execution: Place['execution'];
  /** Where the block runs. */
  readonly runsOn: number | 'cpu';
  readonly weightBytes: number;
  /** Milliseconds per call, crossings apart. */
  readonly latencyMs: number;
}

/** Activations handed from one device to another. */
export interface Crossing {
  readonly from: string;
  readonly to: string;
  readonly fromDevice: number | 'cpu';
  readonly toDevice: number | 'cpu';
  /** How often values cross in a call. */
  readonly timesPerCall: number;
  readonly latencyMs: number;
}

/** What a call is predicted to take; `imageMs`, `promptMs`, `tokenMs` and `crossingMs` add up to `latencyMs`. */
export interface PlanCost {
  /** Predicted milliseconds per call: `batch` pictures, `newTokens` tokens each. */
  readonly latencyMs: number;
  /** What it may take, by how far off the rates of its devices may be; absent in older plans. */
  readonly rangeMs?: { readonly least: number; readonly most: number };
  /**
   * The latency, and what a first start has to do for it: float32 copies of weights that the CPU runs, which are kept for the next,
   * and quantised weights in the order of its kernels. Loading is not counted. Absent in older plans.
   */
  readonly firstCaptionMs?: number;
  readonly imageMs: number;
  readonly promptMs: number;
  readonly tokenMs: number;
  readonly crossingMs: number;
  /** Milliseconds that the busiest device works per call: the interval at which calls can follow one another. */
  readonly busiestMs: number;
  /** Weight bytes copied to GPUs per call, and per generated token within that. */
  readonly streamedBytesPerCall: number;
  readonly streamedBytesPerToken: number;
}

/** What quantised blocks cost in accuracy. */
export interface AccuracyNote {
  readonly scheme: QuantScheme;
  /** How many blocks are quantised so. */
  readonly blocks: number;
  /** Root mean square error of their weights, as a fraction of the weights' own, for normally distributed values. */
  readonly weightError: number;
  /** Milliseconds that the solver charged for it beside the latency: what quantising had to save. */
  readonly priceMs: number;
}

/** How far a plan is proven. */
export interface SolverReport {
  /** What the plan is best at; the bound and the gap are in its terms. */
  readonly objective: Objective;
  /** `optimal` is proven; `stopped` is within `gap`; `given` was not chosen by the solver. */
  readonly status: 'optimal' | 'stopped' | 'given';
  /**
   * No placement that fits is predicted to be faster than this; prices of accuracy count as time, and so does what devices whose
   * rates are less certain than the best known may take more at their worst. For `throughput`: none has a busiest device that
   * is busy for less.
   */
  readonly boundMs: number;
  /** (cost - bound) / cost, with prices of accuracy on both sides. */
  readonly gap: number;
}

/** A plan: the device map and all that it rests on. Read one from JSON with `parsePlan`. */
export interface PlanDocument {
  readonly schema: typeof PLAN_SCHEMA;
  readonly tool: { readonly name: string; readonly version: string };
  readonly checkpoint: CheckpointIdentity;
  /** The class that loads the model; null for one that is not known, absent for a BLIP-2 that captions. */
  readonly model?: PlannedClass | null;
  readonly engine: Engine;
  readonly dtype: LoadDtype;
  /** Module path -> dtype where it differs from `dtype`. */
  readonly dtypes: Readonly<Record<string, LoadDtype>>;
  /** Block -> what its linear weights are stored as, where they are not floats. */
  readonly quant: Readonly<Record<string, QuantScheme>>;
  readonly accuracy: readonly AccuracyNote[];
  readonly workload: Workload;
  /** Whether GPUs' `overheadBytes` hold what the driver takes for a process; absent in older plans. */
  readonly countContext?: boolean;
  readonly devices: readonly DeviceMemory[];
  readonly device_map: Readonly<Record<string, Device>>;
  /** In the order the blocks run. */
  readonly placements: readonly Placement[];
  readonly crossings: readonly Crossing[];
  readonly cost: PlanCost;
  readonly solver: SolverReport;
  readonly assumptions: readonly string[];
  readonly warnings: readonly string[];
}
