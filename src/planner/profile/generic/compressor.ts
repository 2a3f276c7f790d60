/** What DeepSeek V4 keeps of tokens that are out of its window: entries that each stand for several (transformers 5.24). */
import type { TensorTable } from '../../../tensor/tensor-info.js';

export interface Compressor {
  /** Tokens to an entry. */
  readonly rate: number;
  /** Elements of an entry. */
  readonly perEntry: number;
  /** Elements of each token that no entry holds yet. */
  readonly perWaiting: number;
  /** Whether an entry sees the tokens of the one before, which are kept for it: their gates in float32. */
  readonly overlaps: boolean;
}

/** A module that makes entries; its projections are no keys and values. */
export const COMPRESSOR = /\.compressor\.(indexer\.)?(kv_proj|gate_proj|position_bias|kv_norm)\b/;

const RATE = /^(.*\.compressor(?:\.indexer)?)\.position_bias$/;

export function compressors(tensors: TensorTable): Compressor[] {
  return [...tensors].flatMap(([name, { shape }]): Compressor[] => {
    const module = RATE.exec(name)?.[1];
    if (module === undefined) return [];
    const rows = (part: string): number => tensors.get(`${module}.${part}.weight`)?.shape[0] ?? 0;
    const perEntry = rows('kv_norm');
    return [
      {
        rate: shape[0] ?? 1,
        perEntry,
        perWaiting: rows('kv_proj') + rows('gate_proj'),
        overlaps: rows('kv_proj') > perEntry,
      },
    ];
  });
}
