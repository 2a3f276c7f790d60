/** What a server takes at most, of everybody together where nothing else is said. */
export interface ServeLimits {
  /** Of a request's body. */
  readonly bodyBytes: number;
  /** Requests that have no answer yet. */
  readonly queue: number;
  /** Bodies and pictures of those requests. */
  readonly queueBytes: number;
  /** From a request's last byte to its answer's. */
  readonly answerMs: number;
  /** For a request's body to come. */
  readonly bodyMs: number;
  /** Of an answer. */
  readonly newTokens: number;
}
