import { Tensor } from 'onnxruntime-node';
import type { Mask } from './attention-bias.js';

/** OPT's position table starts at row 2. */
const FIRST_POSITION = 2;

/**
 * Rows of the position table for the last `tokens` of each row, int64 `[rows, tokens]`. Padding does not advance the
 * count; padding itself gets row 1, and nobody sees it.
 */
export function positionRows(masks: readonly Mask[], tokens: number): Tensor {
  const positions = new BigInt64Array(masks.length * tokens);
  masks.forEach((mask, row) => {
    const skipped = mask.length - tokens;
    let seen = 0;
    mask.forEach((visible, index) => {
      seen += visible;
      const position = visible === 1 ? seen - 1 + FIRST_POSITION : FIRST_POSITION - 1;
      if (index >= skipped) positions[row * tokens + index - skipped] = BigInt(position);
    });
  });
  return new Tensor('int64', positions, [masks.length, tokens]);
}
