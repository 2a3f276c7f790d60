/** Masks and positions of an OPT sequence: which keys a token sees, and which row of the position table it gets. */

/** Added to the scores of keys that must not be seen. Finite, so that no softmax meets a row of infinities. */
const HIDDEN_KEY = -1e30;

/** OPT's position table starts at row 2. */
const FIRST_POSITION = 2;

/**
 * Rows of the position table for the last `tokens` of each row. Masked tokens do not advance the count; they themselves
 * get row 1, and nobody sees them.
 * @param masks 1 for a token that is seen, 0 for padding; all of one length.
 */
export function positionRows(masks: readonly (readonly number[])[], tokens: number): BigInt64Array {
  const rows = new BigInt64Array(masks.length * tokens);
  masks.forEach((mask, row) => {
    const skipped = mask.length - tokens;
    let seen = 0;
    mask.forEach((visible, index) => {
      seen += visible;
      const position = visible === 1 ? seen - 1 + FIRST_POSITION : FIRST_POSITION - 1;
      if (index >= skipped) rows[row * tokens + index - skipped] = BigInt(position);
    });
  });
  return rows;
}

/** Bias of the last `tokens` queries towards all keys, `[rows, 1, tokens, length]`: causal, padding hidden. */
export function causalBias(masks: readonly (readonly number[])[], tokens: number): Float32Array {
  const length = masks[0]?.length ?? 0;
  const bias = new Float32Array(masks.length * tokens * length);
  let at = 0;
  for (const mask of masks) {
    for (let query = length - tokens; query < length; query++) {
      for (let key = 0; key < length; key++) bias[at++] = key <= query && mask[key] === 1 ? 0 : HIDDEN_KEY;
    }
  }
  return bias;
}
