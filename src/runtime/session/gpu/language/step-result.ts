/** What a step of a language model gives for each sequence. */
import { NOT_FINITE } from '../../../generation/not-finite.js';
import type { ListedStep } from '../../../generation/shortlist.js';
import type { ProgramRun } from '../program/program-run.js';
import type { WireType } from '../program/wire-type.js';
import { readShortlist } from './read-shortlist.js';

/** A run: what it made for each of its rows, good until the next one. */
export type StepRun = Pick<ProgramRun, 'read' | 'readShortlists'>;

export interface StepResult<Result> {
  /** @param rows those that are wanted, in this order */
  readonly read: (run: StepRun, rows: readonly number[]) => Result;
  /** Of sequences whose steps run one after the other: what each is, good after the next run, and all of them. */
  readonly kept: (part: Result) => Result;
  readonly join: (parts: readonly Result[]) => Result;
}

/** Float32 `[rows, vocabSize]`. */
export function logitsOf(vocabSize: number): StepResult<Float32Array> {
  return {
    read: (run, rows) => {
      const { buffer, byteOffset, byteLength } = run.read('logits');
      const logits = new Float32Array(buffer, byteOffset, byteLength / 4);
      const wanted = new Float32Array(rows.length * vocabSize);
      rows.forEach((row, index) => {
        wanted.set(logits.subarray(row * vocabSize, (row + 1) * vocabSize), index * vocabSize);
      });
      return wanted;
    },
    kept: (part) => part,
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
  read: (run, rows) => {
    const { buffer, byteOffset, byteLength } = run.read('next_ids');
    const ids = new Int32Array(buffer, byteOffset, byteLength / 4);
    return rows.map((row) => ids[row] ?? NOT_FINITE);
  },
  kept: (part) => part,
  join: (parts) => parts.flat(),
};

/** What the next ids are chosen among, where the device lists it. */
export function listedOf(vocabSize: number, divisor: number): StepResult<ListedStep> {
  const whole = logitsOf(vocabSize);
  return {
    read: (run, rows) => {
      const lists = run.readShortlists(divisor);
      return {
        rows: rows.map((row) => readShortlist(lists, row, divisor)),
        logits: () => whole.read(run, rows),
      };
    },
    kept: ({ rows, logits }) => {
      const all = logits();
      return { rows, logits: () => all };
    },
    join: (parts) => ({
      rows: parts.flatMap(({ rows }) => rows),
      logits: () => whole.join(parts.map(({ logits }) => logits())),
    }),
  };
}

/** Both, for as many rows. */
export function resultWires(rows: number, vocabSize: number): Map<string, WireType> {
  return new Map<string, WireType>([
    ['logits', { dtype: 'F32', dims: [rows, vocabSize] }],
    ['next_ids', { dtype: 'I32', dims: [rows, 1] }],
  ]);
}
