import type { DeviceMap } from '../planner/map/device-map.js';
import type { GeneratedSequence, TokenEvent } from './generation/generation-request.js';
import type { GenerationOptions } from './generation/generation-options.js';

/** A picture: path of a file, or the bytes of one (JPEG, PNG, WebP, GIF, TIFF, AVIF). */
export type PictureSource = string | Uint8Array;

export interface CaptionerOptions {
  /** The device of every module, as Hugging Face writes it. Absent: everything on the CPU. */
  readonly deviceMap?: DeviceMap;
  /** Runs each GPU of the map as a CPU session of its own: the cuts are real, the devices are not. Default false. */
  readonly emulateGpu?: boolean;
  /** Threads of one operator on the CPU. Default: one per physical core. */
  readonly threads?: number;
  /**
   * Where weights that a device needs in another dtype are kept, converted once. Default: the user's cache folder. It has
   * to be on the checkpoint's drive.
   */
  readonly cacheFolder?: string;
  /** Ends the conversion, with the signal's reason; nothing half-done stays behind. */
  readonly signal?: AbortSignal;
  /** Called while weights are converted. */
  readonly onConvert?: (writtenBytes: number, totalBytes: number) => void;
}

/** What is asked of a picture: nothing (a caption), a question, or the text to go on from. */
export type Ask =
  | { readonly question?: never; readonly prompt?: never }
  | { readonly question: string; readonly prompt?: never }
  | { readonly prompt: string; readonly question?: never };

export interface CaptionHooks {
  /** Ends the work before its next step, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called for every new id of greedy search and sampling; the next step waits for it. */
  readonly onToken?: (event: TokenEvent) => void | Promise<void>;
}

export interface RunOptions {
  /** Pictures that run together. Default 1. */
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
