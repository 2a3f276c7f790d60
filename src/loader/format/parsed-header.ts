import type { Dtype } from '../../tensor/dtype.js';
import type { U64 } from './u64.js';

/** A tensor as its header states it, checked for form only. Offsets count from the first byte after the header. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly U64[];
  readonly begin: U64;
  readonly end: U64;
}

export interface ParsedHeader {
  /** null where the header has none. */
  readonly metadata: ReadonlyMap<string, string> | null;
  /** In the order of the header. */
  readonly entries: readonly HeaderEntry[];
  /** Names of tensors whose entry has fields that the format does not know. They are ignored, as in the reference. */
  readonly withExtraFields: readonly string[];
}
