/** The scores of one sequence's next token: of the whole vocabulary, or of the likeliest part of it. */
import { at } from '../../checked-access.js';

export interface ScoreRow {
  /** Of the values, ascending; null where a value's place is its id. */
  readonly ids: Int32Array | null;
  /** Rules and filters change them in place. */
  readonly values: Float32Array;
  /** What every id that is not listed is below, whatever rules do: none of them raises a score. -Infinity where all are. */
  readonly least: number;
}

export const wholeRow = (values: Float32Array): ScoreRow => ({ ids: null, values, least: -Infinity });

/** Where the score of an id is; -1 where it is not listed. */
export function placeOf({ ids, values }: ScoreRow, id: number): number {
  if (ids !== null) return ids.indexOf(id);
  return id < values.length ? id : -1;
}

export const idAt = ({ ids }: ScoreRow, place: number): number => (ids === null ? place : at(ids, place));
