/** What the host gives a decoder for each run: rows of tables, and where in the caches they go. */
import { convertFloats } from '../../../../loader/convert/convert-floats.js';
import type { DecoderOnlyConfig } from '../../../../model/language-config.js';
import type { GpuFloat } from '../../../graph/gpu/gpu-style.js';
import type { WireType } from '../program/wire-type.js';
import type { RunShape } from './row-runs.js';
import type { StoredRows, TableRows } from './table-rows.js';

/** New tokens: a row of the token table or of the picture for each, null for a row of the caches that is at rest. */
export interface NewTokens {
  readonly rows: readonly (readonly StoredRows[] | null)[];
  /** Tokens that are in each row's cache. */
  readonly past: readonly number[];
}

export interface DecoderTables {
  readonly tokens: TableRows;
  /** OPT has one; its first two rows belong to padding. */
  readonly positions: TableRows | null;
}

const FIRST_POSITION = 2;
/** The lowest number of float16: what it is added to takes no part in a softmax. */
export const HIDDEN = -65_504;

export type DecoderWires = ReturnType<typeof decoderWires>;

export function decoderWires(config: DecoderOnlyConfig, dtype: GpuFloat, tables: DecoderTables) {
  const { width } = tables.tokens;
  const writePositions = (past: readonly number[], tokens: number, target: Uint8Array): void => {
    const { positions } = tables;
    if (positions === null) throw new Error('a decoder without a table of positions');
    const rows = past.flatMap((length) =>
      Array.from({ length: tokens }, (_, token) => positions.stored(length + token + FIRST_POSITION)),
    );
    writeRows(rows, target, dtype);
  };
  return {
    rowOfToken: (id: number): StoredRows => tables.tokens.stored(id),

    width,

    /** Of all that some device may read: fused attention asks for lengths, single operators for positions and a bias. */
    types({ rows, tokens }: RunShape, capacity: number): Map<string, WireType> {
      const float = (dims: readonly number[]): WireType => ({ dtype, dims });
      const { hiddenSize } = config;
      const types = new Map<string, WireType>();
      types.set(config.family === 'opt' ? 'embedded' : 'hidden', float([rows, tokens, width]));
      if (config.family === 'opt') types.set('position_rows', float([positionRows(rows, tokens), tokens, hiddenSize]));
      types.set('seqlens', { dtype: 'I32', dims: [rows] });
      types.set('cache_positions', { dtype: 'I64', dims: [rows, 1, tokens, 1] });
      types.set('attention_bias', float([rows, 1, tokens, capacity]));
      return types;
    },

    write(wire: string, target: Uint8Array, { rows, past }: NewTokens, capacity: number): void {
      const tokens = rows.find((row) => row !== null)?.length ?? 0;
      const perToken = <T>(of: (row: number, token: number) => T): T[] =>
        past.flatMap((length, row) => Array.from({ length: tokens }, (_, token) => of(row, length + token)));
      switch (wire) {
        case 'hidden':
        case 'embedded': {
          const atRest = Array.from({ length: tokens }, () => null);
          return writeRows(
            rows.flatMap((row): readonly (StoredRows | null)[] => row ?? atRest),
            target,
            dtype,
          );
        }
        case 'position_rows':
          return writePositions(past.slice(0, positionRows(past.length, tokens)), tokens, target);
        case 'seqlens':
          return target.set(new Uint8Array(Int32Array.from(past, (length) => length + tokens - 1).buffer));
        case 'cache_positions': {
          const positions = perToken((_, position) => BigInt(position));
          return target.set(new Uint8Array(BigInt64Array.from(positions).buffer));
        }
        case 'attention_bias': {
          const hidden = perToken((_, position) => causalRow(position, capacity));
          return writeFloats(joined(hidden), target, dtype);
        }
        default:
          throw new Error(`a decoder does not read ${wire}`);
      }
    },
  };
}

/** Rows of whole prompts begin together: their positions are the same. */
const positionRows = (rows: number, tokens: number): number => (tokens > 1 ? 1 : rows);

/** Keys behind a position are hidden from it. */
function causalRow(position: number, capacity: number): Float32Array {
  return new Float32Array(capacity).fill(HIDDEN, position + 1);
}

export function joined(rows: readonly Float32Array[]): Float32Array {
  const [first] = rows;
  const width = first?.length ?? 0;
  const all = new Float32Array(rows.length * width);
  rows.forEach((row, index) => all.set(row, index * width));
  return all;
}

/** Rows of equal width one after the other; null stands for zeros. */
export function writeRows(rows: readonly (StoredRows | null)[], target: Uint8Array, dtype: GpuFloat): void {
  const rowBytes = target.length / rows.length;
  for (const [index, row] of rows.entries()) {
    const place = target.subarray(index * rowBytes, (index + 1) * rowBytes);
    if (row === null) place.fill(0);
    else convertFloats(row.bytes, row.dtype, place, dtype);
  }
}

export function writeFloats(values: Float32Array, target: Uint8Array, dtype: GpuFloat): void {
  convertFloats(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 'F32', target, dtype);
}
