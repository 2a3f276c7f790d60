/** What the kernel for attention of many tokens at once takes: see `attention-of-many.cuh`. */

/** Queries of a warp, and keys that it attends to at once. */
export const TILE = 16;
/** Widths of a head that it is compiled for. */
const WIDTHS: ReadonlySet<number> = new Set([64, 80, 88, 128]);
/** Of memory that a block's threads share, on all cards of compute capability 8.0 and later. */
const MOST_SHARED_BYTES = 99 * 1024;

export interface TokensOfHead {
  /** New ones. */
  readonly tokens: number;
  /** Of a head. */
  readonly width: number;
  /** Tokens that a row has at most. */
  readonly capacity: number;
}

/** Of keys and values of one head, in rows of an odd number of 16 bytes. */
export function sharedBytesOfMany({ width, capacity }: Omit<TokensOfHead, 'tokens'>): number {
  const eighths = width / 8;
  const rowBytes = 16 * (eighths % 2 === 1 ? eighths : eighths + 1);
  return 2 * Math.ceil(capacity / TILE) * TILE * rowBytes;
}

/** Fewer tokens are faster one by one. */
export const isOfMany = (shape: TokensOfHead): boolean =>
  shape.tokens >= TILE && WIDTHS.has(shape.width) && sharedBytesOfMany(shape) <= MOST_SHARED_BYTES;

/** Width of a head of queries that attend to a picture. */
const ACROSS_WIDTH = 64;

/** Whether queries in heads of this width attend to so many tokens of a picture by products of fragments. */
export const isAcross = (width: number, tokens: number): boolean =>
  width === ACROSS_WIDTH && sharedBytesOfMany({ width, capacity: tokens }) <= MOST_SHARED_BYTES;
