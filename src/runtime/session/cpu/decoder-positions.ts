import { Tensor } from 'onnxruntime-node';
import type { DecoderOnlyConfig } from '../../../model/language-config.js';
import type { Mask } from '../model/attention-bias.js';

/** The position of a first token: OPT's table starts at row 2. */
const FIRST_POSITION = { opt: 2, llama: 0 } as const;

/**
 * Positions of the last `tokens` of each row, int64 `[rows, tokens]`. Padding does not advance the count; what it gets
 * itself, nobody sees.
 */
export function decoderPositions(family: DecoderOnlyConfig['family'], masks: readonly Mask[], tokens: number): Tensor {
  const first = FIRST_POSITION[family];
  const positions = new BigInt64Array(masks.length * tokens);
  masks.forEach((mask, row) => {
    const skipped = mask.length - tokens;
    let seen = 0;
    mask.forEach((visible, index) => {
      seen += visible;
      if (index >= skipped) positions[row * tokens + index - skipped] = BigInt(first + Math.max(seen - 1, 0));
    });
  });
  return new Tensor('int64', positions, [masks.length, tokens]);
}
