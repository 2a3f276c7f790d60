import type { EngineOptions, ProcessOptions } from '../device/device-options.js';
import type { GeneratedSequence } from '../generation/generation-request.js';
import type { GenerationOptions } from '../generation/generation-options.js';
import type { FetchLimits } from '../image/fetch-picture.js';
import type { PictureSource } from '../image/picture-source.js';
import type { PlacementOptions } from '../placement/placement.js';

/** Where and how a model runs. */
export type CaptionerOptions = EngineOptions & PlacementOptions & ProcessOptions & FetchLimits;

/** A picture, or one with a question or prompt of its own in place of the call's. */
export type Picture = PictureSource | (Ask & PictureSettings & { readonly image: PictureSource });

export interface PictureSettings {
  /** With sampling and a seed: pictures of the same number draw alike, in any call. Default: its position in the call. */
  readonly randomStream?: number;
}

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

/** How work on pictures is watched and ended. */
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

export interface BulkOptions {
  /** Pictures that are decoded at once, whatever is asked of each. `auto`, the default: as many as there is room for. */
  readonly batchSize?: number | 'auto';
}

/** What is asked of the pictures of a call, how tokens are chosen, and how many run together. */
export type CaptionOptions = Ask & GenerationOptions & CaptionHooks & RunOptions;

/** What is asked of many pictures, how tokens are chosen, and how many run together. */
export type CaptionAllOptions = Ask & GenerationOptions & CaptionHooks & BulkOptions;

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

/** What became of a picture that was captioned. */
export interface Caption {
  /** Position among the pictures given. */
  readonly index: number;
  /** The text of the first answer. */
  readonly text: string;
  /** At least one; best first for beams. */
  readonly answers: readonly Answer[];
  /** Rows that the language model read before the first new token: the picture's and the text's. */
  readonly promptTokens: number;
  readonly timing: CaptionTiming;
}

/** What becomes of one of many pictures. */
export type Outcome =
  | { readonly status: 'captioned'; readonly caption: Caption }
  | { readonly status: 'failed'; readonly index: number; readonly error: unknown };
