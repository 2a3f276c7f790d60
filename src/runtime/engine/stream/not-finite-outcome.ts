import type { Outcome } from '../captioner-options.js';
import { areFinite, notFiniteError, type NotFinite } from '../../generation/not-finite.js';
import type { PictureRows } from './picture-rows.js';

type FailedOutcome = Extract<Outcome, { readonly status: 'failed' }>;

/** What becomes of a picture whose logits are not finite. @param rows those that the language model was given for it */
export function notFiniteOutcome(index: number, where: NotFinite, rows: PictureRows | undefined): FailedOutcome {
  const stage = rows === undefined || areRowsFinite(rows) ? 'language' : 'picture';
  return { status: 'failed', index, error: notFiniteError(where, stage) };
}

/** Exponent of float16: all of its bits are set in infinities and NaN, and in nothing else. */
const FLOAT16_EXPONENT = 0x7c00;

function areRowsFinite(rows: PictureRows): boolean {
  if (rows instanceof Float32Array) return areFinite(rows);
  return rows.every((bits) => (bits & FLOAT16_EXPONENT) !== FLOAT16_EXPONENT);
}
