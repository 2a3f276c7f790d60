/** Masks as ONNX Runtime's attention takes them: a number added to each score, for each query and key. */
import { Tensor } from 'onnxruntime-node';

/** 1 for a token that is seen, 0 for padding. */
export type Mask = readonly number[];

/** Added to the scores of keys that must not be seen. Finite, so that no softmax meets a row of infinities. */
const HIDDEN_KEY = -1e30;

/** Bias of the last `tokens` queries towards all keys, `[rows, 1, tokens, length]`: causal, padding hidden. */
export function causalBias(masks: readonly Mask[], tokens: number): Tensor {
  const length = masks[0]?.length ?? 0;
  const bias = new Float32Array(masks.length * tokens * length);
  let at = 0;
  for (const mask of masks) {
    for (let query = length - tokens; query < length; query++) {
      for (let key = 0; key < length; key++) bias[at++] = key <= query && mask[key] === 1 ? 0 : HIDDEN_KEY;
    }
  }
  return new Tensor('float32', bias, [masks.length, 1, tokens, length]);
}

/** Bias of `tokens` queries towards all keys, each query seeing the same: `[rows, 1, tokens, length]`. */
export function paddingBias(masks: readonly Mask[], tokens: number): Tensor {
  const length = masks[0]?.length ?? 0;
  const rows = masks.map((mask) => mask.map((visible) => (visible === 1 ? 0 : HIDDEN_KEY)));
  const bias = rows.flatMap((row) => Array.from({ length: tokens }, () => row).flat());
  return new Tensor('float32', Float32Array.from(bias), [masks.length, 1, tokens, length]);
}
