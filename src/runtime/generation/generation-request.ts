/** What decoding is given besides a model and options, and what it gives back. */
import type { NotFinite } from './not-finite.js';

export interface GenerationRequest {
  /**
   * Per picture, the ids that stand before the first new one, without padding: placeholders and prompt for OPT, the
   * decoder's start id for T5. Repetition rules count them; they are not part of the result.
   */
  readonly contextIds: readonly (readonly number[])[];
  /** The checkpoint's stop ids. */
  readonly eosTokenIds: readonly number[];
  /**
   * Per picture, which stream of random numbers it draws from; its position unless given. A picture with the same seed
   * and stream gets the same draws in every batch.
   */
  readonly randomStreams?: readonly number[];
}

/** A token that greedy search or sampling has just chosen. Beams change their minds, so they report none. */
export interface TokenEvent {
  readonly picture: number;
  /** Which of the picture's sequences. */
  readonly sequence: number;
  readonly id: number;
}

export interface GenerationHooks {
  /** Generation stops before the next step, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called for every new id, stop id included; the next step waits for it. */
  readonly onToken?: (event: TokenEvent) => void | Promise<void>;
  /** Whether the sequence ends with the id that it was just given, as with a stop id; asked after `onToken`. */
  readonly endsAt?: (event: TokenEvent) => boolean;
  /**
   * Called for a picture whose logits are not finite. Its sequences end there, and the others go on; without it,
   * generation ends with `LOGITS_NOT_FINITE`.
   */
  readonly onNotFinite?: (picture: number, where: NotFinite) => void;
}

/** The ids of an answer. */
export interface GeneratedSequence {
  /** New ids only, up to and including the stop id. */
  readonly ids: readonly number[];
  /** Whether a stop id ended it, or `maxNewTokens` did. */
  readonly finish: 'stop' | 'length';
  /** Beam search: sum of log-probabilities over length to the power of the length penalty. Otherwise null. */
  readonly score: number | null;
}
