/** What a step of a language model gives for each sequence. */
import { NOT_FINITE } from '../../../generation/not-finite.js';
import type { WireType } from '../program/wire-type.js';

export interface StepResult<Result> {
  readonly wire: 'logits' | 'next_ids';
  /** @param bytes of the wire, good until the next run; @param rows those that are wanted, in this order */
  readonly read: (bytes: Uint8Array, rows: readonly number[]) => Result;
  /** Of sequences whose steps ran one after the other. */
  readonly join: (parts: readonly Result[]) => Result;
}

/** Float32 `[rows, vocabSize]`. */
export function logitsOf(vocabSize: number): StepResult<Float32Array> {
  return {
    wire: 'logits',
    read: ({ buffer, byteOffset, byteLength }, rows) => {
      const logits = new Float32Array(buffer, byteOffset, byteLength / 4);
      const wanted = new Float32Array(rows.length * vocabSize);
      rows.forEach((row, index) => {
        wanted.set(logits.subarray(row * vocabSize, (row + 1) * vocabSize), index * vocabSize);
      });
      return wanted;
    },
    join: (parts) => {
      const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const part of parts) {
        all.set(part, at);
        at += part.length;
      }
      return all;
    },
  };
}

/** The likeliest id of each row, as the device found it; `NOT_FINITE` where there is none. */
export const LIKELIEST: StepResult<readonly number[]> = {
  wire: 'next_ids',
  read: ({ buffer, byteOffset, byteLength }, rows) => {
    const ids = new Int32Array(buffer, byteOffset, byteLength / 4);
    return rows.map((row) => ids[row] ?? NOT_FINITE);
  },
  join: (parts) => parts.flat(),
};

/** Both, for as many rows. */
export function resultWires(rows: number, vocabSize: number): Map<string, WireType> {
  return new Map<string, WireType>([
    ['logits', { dtype: 'F32', dims: [rows, vocabSize] }],
    ['next_ids', { dtype: 'I32', dims: [rows, 1] }],
  ]);
}
