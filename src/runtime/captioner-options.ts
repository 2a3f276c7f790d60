import type { DeviceMap } from '../planner/map/device-map.js';
import type { PlanDocument } from '../planner/plan/plan-document.js';
import type { QuantScheme } from '../tensor/quantized.js';
import type { GeneratedSequence } from './generation/generation-request.js';
import type { GenerationOptions } from './generation/generation-options.js';
import type { PictureSize } from './graph/picture-grid.js';
import type { PictureSource } from './image/picture-source.js';
import type { PlacementOptions } from './placement.js';
import type { Provider } from './provider/provider.js';

/** What a model runs on, wherever its parts are placed. */
export interface EngineOptions {
  /** What the GPUs are. Default `auto`: CUDA where it works, else WebGPU. Without a placement, what everything runs on. */
  readonly provider?: Provider;
  /** Runs each GPU as a CPU session of its own: the cuts are real, the devices are not. Default false. */
  readonly emulateGpu?: boolean;
  /** Threads of one operator on the CPU. Default: one per physical core. */
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
  /** Called while weights are converted. */
  readonly onConvert?: (writtenBytes: number, totalBytes: number) => void;
}

/** What a model is doing, as it happens. */
export type Progress =
  /** The budgets have a plan; the model is opened next. */
  | { readonly stage: 'planned'; readonly plan: PlanDocument }
  /** Weights are converted or quantised, once for this checkpoint and placement. */
  | { readonly stage: 'converting'; readonly doneBytes: number; readonly totalBytes: number }
  /** Captions of a call that are done. */
  | { readonly stage: 'captioning'; readonly donePictures: number };

export interface ProcessOptions {
  /**
   * Runs the model in the caller's process, where every step blocks its event loop. Default false: the model has a process
   * of its own, which costs a fraction of a second to start and cannot take the caller down with it.
   */
  readonly inProcess?: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

export type CaptionerOptions = EngineOptions & PlacementOptions & ProcessOptions;

/** A picture, or one with a question or prompt of its own in place of the call's. */
export type Picture = PictureSource | (Ask & { readonly image: PictureSource });

/** What is asked of a picture: nothing (a caption), a question, or the text to go on from. */
export type Ask =
  | { readonly question?: never; readonly prompt?: never }
  | { readonly question: string; readonly prompt?: never }
  | { readonly prompt: string; readonly question?: never };

/** A token of greedy search or sampling, as soon as it is chosen. Beams change their minds, so they report none. */
export interface AnswerToken {
  /** Position of its picture among the pictures given. */
  readonly index: number;
  /** Which of the picture's answers. */
  readonly answer: number;
  readonly id: number;
  /** What it adds to the answer's text: nothing where it is a special token or part of a character. */
  readonly text: string;
}

export interface CaptionHooks {
  /** Ends the work within one token, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called for every new token; the next step waits for it. */
  readonly onToken?: (token: AnswerToken) => void | Promise<void>;
}

export interface RunOptions {
  /** Pictures that run together, whatever is asked of each. Default 1. */
  readonly batchSize?: number;
}

export type CaptionOptions = Ask & GenerationOptions & CaptionHooks & RunOptions;

/** One sequence as text. */
export interface Answer extends GeneratedSequence {
  /** Special tokens and the white space around the text left out. */
  readonly text: string;
}

/** Durations of the batch that a picture was in. */
export interface CaptionTiming {
  /** Decoding, resizing and normalising the pictures. */
  readonly pixelsMs: number;
  /** Vision, Q-Former and projection. */
  readonly imageMs: number;
  /** Prompt and tokens. */
  readonly generateMs: number;
}

export interface Caption {
  /** Position among the pictures given. */
  readonly index: number;
  /** The text of the first answer. */
  readonly text: string;
  /** At least one; best first for beams. */
  readonly answers: readonly Answer[];
  readonly timing: CaptionTiming;
}
