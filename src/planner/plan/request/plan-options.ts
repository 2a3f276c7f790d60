import type { QuantScheme } from '../../../tensor/quantized.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import type { DeviceMap } from '../../map/device-map.js';
import type { MachineProfile } from '../../price/device-profile.js';
import type { ModelTable } from '../../models/read-model-table.js';
import type { LoadDtype } from '../../../tensor/load-dtype.js';
import type { Engine } from '../../map/engine.js';
import type { Workload } from '../../profile/workload/workload.js';
import type { SolveOptions } from '../../solve/search.js';
import type { IntegerSolver } from '../../solve/program/integer-program.js';
import type { Budgets } from './budgets.js';

/** What `blip2-run` may reach GPUs through: memory and speed of the same card differ. */
export const GPU_PROVIDERS = ['cuda', 'webgpu'] as const;

export type GpuProvider = (typeof GPU_PROVIDERS)[number];

/** What a plan can be best at: milliseconds of a call, the interval between calls, or the number of GPUs. */
export const OBJECTIVES = ['latency', 'throughput', 'fewest-devices'] as const;

/** What a plan is best at: see `chooseFor`. */
export type Objective = (typeof OBJECTIVES)[number];

/** What a plan was made for, so that it is not run on something else. */
export interface CheckpointIdentity {
  /** Folder, hub id or preset name, as it was asked for. */
  readonly id: string;
  readonly files: readonly string[];
  /** Hash of the shard headers, made by whoever read them; null for a preset, which has no files. */
  readonly fingerprint: string | null;
  /** Branch, tag or commit on the hub, where one was asked for. */
  readonly revision?: string;
}

/** What is asked of a plan. Only `budgets` has to be given. */
export interface PlanOptions {
  /** The parsed JSON of `config.json`; without a BLIP-2 configuration blocks are found by their names. */
  readonly config?: unknown;
  readonly checkpoint?: CheckpointIdentity;
  readonly budgets: Budgets;
  readonly workload?: Partial<Workload>;
  /** What floating tensors become when loaded. Default `float16`; with `models`, what transformers takes by itself. */
  readonly dtype?: LoadDtype;
  /** Module path -> dtype, over `dtype`. */
  readonly dtypes?: ReadonlyMap<string, LoadDtype>;
  /** Who will execute the map. Default `blip2-run`. */
  readonly engine?: Engine;
  /** What `blip2-run` reaches the GPUs through, for the models that it runs. Default `cuda`. */
  readonly provider?: GpuProvider;
  /** What the devices can do; profiles go to GPUs in the order of their numbers. Default: stated estimates. */
  readonly machine?: MachineProfile;
  /** Bytes to leave free on every GPU. Default 0. */
  readonly reserveBytes?: number;
  /** Count the memory that the driver takes for the process, as nvidia-smi does. Default false. */
  readonly countContext?: boolean;
  /**
   * What transformers loads, class by class, for models that are not BLIP-2; without it their blocks are found by names alone.
   * `loadModelTable` of `blip2-device-map/models` gives it.
   */
  readonly models?: ModelTable;
  /** Whose names the device map has: the loaded model's (default), or the file's, for loaders that do not translate. */
  readonly names?: 'loaded' | 'file';
  /**
   * Whether a map on one GPU may stream the widest modules of a layer alone that its class wants whole, and leave the rest on that
   * GPU, where all of it runs. BLIP-2's may in any case. Default false.
   */
  readonly cutsLayers?: boolean;
  /**
   * Whether what transformers streams from host memory is page-locked there (pinned), as the script of `pythonSnippet` makes it: copies
   * are several times as fast. Default false; `blip2-run` does so by itself, and refuses it.
   */
  readonly pageLocked?: boolean;
  /** Module path -> device that must hold it. */
  readonly pins?: DeviceMap;
  /** Schemes that the language model's linear weights may be quantised with, where that saves time. Default none. */
  readonly allowQuant?: readonly QuantScheme[];
  /** Tensor name that the files leave out -> the stored tensor it shares. BLIP-2's own ties are known. */
  readonly ties?: ReadonlyMap<string, string>;
  /** Tensors that modules create themselves (non-persistent buffers); they stay where their module runs. */
  readonly buffers?: TensorTable;
  /** What the plan is best at. Default `latency`. */
  readonly objective?: Objective;
  /**
   * How long to search at most; then the best placement found is the answer, with its gap. By default a search ends when its
   * answer is proven or after a fixed effort: a tenth of a second for one GPU, seconds for more. More time than a second
   * searches longer, with `integerSolver` where that is given.
   */
  readonly timeLimitMs?: number;
  /**
   * Finds placements for three and more memories that can be full and for throughput, and goes on where the planner's own
   * search for fewer ends without a proof: what `blip2-device-map/highs` gives, or anything else that solves integer
   * programs. Without one such plans are a heuristic's, and say so.
   */
  readonly integerSolver?: IntegerSolver;
  readonly solver?: SolveOptions;
  /** Whether to look for remedies where nothing fits. Default true. */
  readonly explain?: boolean;
}
