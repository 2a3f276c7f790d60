import type { Tensor } from 'onnxruntime-node';
import { paddingBias, type Mask } from './attention-bias.js';
import { idTensor } from './language-prompt.js';

/** Texts for the Q-Former, one per row, padded to one length on the right. */
export interface WordBatch {
  readonly ids: readonly (readonly number[])[];
  /** Shaped as `ids`. */
  readonly mask: readonly Mask[];
}

/** @param queryTokens queries that stand before the words and that every row sees; 0 where words are alone */
export function wordWires({ ids, mask }: WordBatch, queryTokens: number): Map<string, Tensor> {
  const queries = Array.from({ length: queryTokens }, () => 1);
  const masks = mask.map((row) => [...queries, ...row]);
  return new Map([
    ['word_ids', idTensor(ids)],
    ['word_bias', paddingBias(masks, masks[0]?.length ?? 0)],
  ]);
}
