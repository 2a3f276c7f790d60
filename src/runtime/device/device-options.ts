import type { DeviceMap } from '../../planner/map/device-map.js';
import type { PlanDocument } from '../../planner/plan/document/plan-document.js';
import type { QuantScheme } from '../../tensor/quantized.js';
import type { PictureSize } from '../../model/picture-size.js';
import type { Provider } from './provider.js';

/** What a model runs on, wherever its parts are placed. */
export interface EngineOptions {
  /** What the GPUs are. Default `auto`: CUDA where it works, else WebGPU. Without a placement, what everything runs on. */
  readonly provider?: Provider;
  /** Runs each GPU as a CPU session of its own: the cuts are real, the devices are not. Default false. */
  readonly emulateGpu?: boolean;
  /** Threads of one operator on the CPU, at most as many as the machine runs at once. Default: one per physical core. */
  readonly threads?: number;
  /**
   * Where weights that a device needs in another form (dtype, quantised) are kept, converted once. Default: the user's cache
   * folder. It has to be on the checkpoint's drive.
   */
  readonly cacheFolder?: string;
  /** Ends the preparation, with the signal's reason; nothing half-done stays behind. */
  readonly signal?: AbortSignal;
  /**
   * Pixels that every picture is brought to, instead of the size in preprocessor_config.json. Where the model was made for
   * another size, its position embeddings are interpolated.
   */
  readonly pictureSize?: PictureSize;
  /** Pictures whose files have more pixels are refused before they are decoded. Default, and at most, 89,478,485. */
  readonly maxPixels?: number;
}

/** Where each block runs, in which form, and on what: a placement that is settled. */
export interface DeviceOptions extends EngineOptions {
  /** The device of every module, as Hugging Face writes it. Absent: everything on one device. */
  readonly deviceMap?: DeviceMap;
  /** Blocks in host memory that the CPU runs. The others whose device is not a GPU pass through one, where the map has any. */
  readonly hostBlocks?: ReadonlySet<string>;
  /** Block in host memory -> the GPU that it passes through. Default: the first of the map, for all. */
  readonly streamGpus?: ReadonlyMap<string, number>;
  /** Module path of a block -> what its weights become; see `quantizableWeights`. */
  readonly quant?: ReadonlyMap<string, QuantScheme>;
  /** What the placement was planned as, budgets included: work that they have no room for is refused. */
  readonly plan?: PlanDocument;
  /** Called while weights are converted. */
  readonly onConvert?: (writtenBytes: number, totalBytes: number) => void;
}

/** What a model is doing, as it happens. */
export type Progress =
  /** The budgets have a plan; the model is opened next. */
  | { readonly stage: 'planned'; readonly plan: PlanDocument }
  /** Weights are converted or quantised, once for this checkpoint and placement. */
  | { readonly stage: 'converting'; readonly doneBytes: number; readonly totalBytes: number }
  /** A picture's server is slow to answer. */
  | { readonly stage: 'fetching'; readonly url: string }
  /** Captions of a call that are done. */
  | { readonly stage: 'captioning'; readonly donePictures: number };

/** Which process a model has. */
export interface ProcessOptions {
  /**
   * Runs the model in the caller's process, where every step blocks its event loop. Default false: the model has a process
   * of its own, which costs a fraction of a second to start and cannot take the caller down with it.
   */
  readonly inProcess?: boolean;
  /**
   * The CUDA cards that the model's process sees, by their numbers: they are its GPU 0, 1, .. in this order. Default: all that
   * the caller's process sees. Not for a model in the caller's process.
   */
  readonly visibleGpus?: readonly number[];
  readonly onProgress?: (progress: Progress) => void;
}
