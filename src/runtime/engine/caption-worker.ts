/** What the model's process is asked for, and who answers it. */
import type { GenerationOptions, StepOptions } from '../generation/generation-options.js';
import type { LocalPicture } from '../image/picture-source.js';
import type { Ask, Caption, CaptionHooks, Outcome } from './captioner-options.js';
import type { Numbered } from './stream/numbered-picture.js';

export interface AskedPicture {
  readonly image: LocalPicture;
  readonly ask: Ask;
  /** Which random numbers it draws; by its position where it is absent. */
  readonly randomStream?: number;
}

/** Pictures that run together. */
export interface CaptionBatch {
  readonly pictures: readonly AskedPicture[];
  /** Position of the first of them among all pictures of the call. */
  readonly first: number;
  readonly generation: GenerationOptions;
}

/** A picture of many, by its position among them. */
export interface NumberedPicture extends AskedPicture, Numbered {
  /** In place of the call's. */
  readonly generation?: StepOptions;
}

/** Many pictures, one after the other. */
export interface StreamRequest {
  readonly generation: GenerationOptions;
  /** How many are decoded at once: `auto` for as many as there is room for. */
  readonly pictures: number | 'auto';
  /** How many there are, where that is known. */
  readonly total?: number;
  /** Whether a picture is begun at once, however few there are. Default false: as many as make for the most of them per second. */
  readonly eager?: boolean;
  /** Whether a step waits until whoever listens has taken the tokens of the last. Default true. */
  readonly isPaced?: boolean;
  /** Texts of more tokens are refused, and so many have room. Default: what the model has positions for, and room for one. */
  readonly maxTextTokens?: number;
}

/** What a captioner hands its pictures to. */
export interface CaptionWorker extends AsyncDisposable {
  captionBatch(batch: CaptionBatch, hooks: CaptionHooks): Promise<Caption[]>;
  /** Outcomes of all pictures of the source, in no order. */
  captionStream(
    source: AsyncIterator<NumberedPicture>,
    request: StreamRequest,
    hooks: CaptionHooks,
  ): AsyncIterable<readonly Outcome[]>;
}
