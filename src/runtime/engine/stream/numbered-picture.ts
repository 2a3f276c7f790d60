/** A picture of many, and what is said of it alone. */
export interface Numbered {
  /** Position among the pictures of the call. */
  readonly index: number;
  /** Which random numbers it draws. Default: its position. */
  readonly randomStream?: number;
  /** Ends the work on this picture alone: its outcome is then the signal's reason. */
  readonly signal?: AbortSignal;
  /** Whether the call's `onToken` is told of its tokens. Default true. */
  readonly tellsTokens?: boolean;
  /** An answer ends with the token that completes one of these. */
  readonly stopTexts?: readonly string[];
}

export const streamOf = ({ index, randomStream = index }: Numbered): number => randomStream;
