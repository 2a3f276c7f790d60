/** What a caller and the process that holds its model say to each other. */
import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import type { CaptionBatch, NumberedPicture, StreamRequest } from '../../engine/caption-worker.js';
import type { AnswerToken, Caption, Outcome } from '../../engine/captioner-options.js';
import type { DeviceOptions } from '../../device/device-options.js';
import type { LocalPicture } from '../../image/picture-source.js';
import { receiveError, sendError, type SentError } from '../../sent-error.js';
import type { Match, TextEmbedding } from '../../engine/match-engine.js';

/** Options that are data: what is called back stays with the caller. */
export type SentOptions = Omit<DeviceOptions, 'signal' | 'onConvert'>;

/** Everything that the process does, by name: what it is given and what it answers. */
export interface Works {
  readonly start: {
    readonly given: { readonly checkpoint: Checkpoint; readonly options: SentOptions };
    readonly answer: null;
  };
  readonly caption: {
    readonly given: { readonly batch: CaptionBatch; readonly tokens: boolean };
    readonly answer: Caption[];
  };
  /** The process asks for the pictures, and answers each as it is done. */
  readonly stream: {
    readonly given: { readonly request: StreamRequest; readonly tokens: boolean };
    readonly answer: null;
  };
  readonly match: {
    readonly given: { readonly picture: LocalPicture; readonly texts: readonly string[] };
    readonly answer: Match[];
  };
  readonly 'embed-image': { readonly given: { readonly picture: LocalPicture }; readonly answer: Float32Array[] };
  readonly 'embed-texts': { readonly given: { readonly texts: readonly string[] }; readonly answer: TextEmbedding[] };
}

export type Work = { [Kind in keyof Works]: { readonly kind: Kind } & Works[Kind]['given'] }[keyof Works];

/** To the process that holds the model. `call` numbers the works. */
export type Request =
  /** The CUDA card that the model is likely to use, where the process was forked before anybody knew. */
  | { readonly kind: 'card'; readonly card: number }
  | { readonly kind: 'work'; readonly call: number; readonly work: Work }
  | { readonly kind: 'token-taken'; readonly call: number }
  | { readonly kind: 'abort'; readonly call: number }
  /** The answer to `pull`: none where there are no more. */
  | { readonly kind: 'pictures'; readonly call: number; readonly pictures: readonly SentPicture[] }
  /** A picture of a stream is not wanted any more. */
  | { readonly kind: 'drop'; readonly call: number; readonly index: number };

/** Signals stay with the caller: `drop` says what they say. */
export type SentPicture = Omit<NumberedPicture, 'signal'>;

/** From it. */
export type Reply =
  | { readonly kind: 'converted'; readonly writtenBytes: number; readonly totalBytes: number }
  | { readonly kind: 'token'; readonly call: number; readonly token: AnswerToken }
  /** Asks for the next pictures, at most so many. */
  | { readonly kind: 'pull'; readonly call: number; readonly most: number }
  | { readonly kind: 'outcomes'; readonly call: number; readonly outcomes: readonly SentOutcome[] }
  | { readonly kind: 'done'; readonly call: number; readonly answer: Works[keyof Works]['answer'] }
  | { readonly kind: 'failed'; readonly call: number; readonly error: SentError };

export type SentOutcome =
  | Extract<Outcome, { status: 'captioned' }>
  | { readonly status: 'failed'; readonly index: number; readonly error: SentError };

export function sendOutcome(outcome: Outcome): SentOutcome {
  return outcome.status === 'captioned' ? outcome : { ...outcome, error: sendError(outcome.error) };
}

export function receiveOutcome(outcome: SentOutcome): Outcome {
  return outcome.status === 'captioned' ? outcome : { ...outcome, error: receiveError(outcome.error) };
}
