/**
 * Sums of what is written, chunk by chunk, gathered from stretches that threads make in any order, some of them twice. The
 * memory is shared: each part of a stretch that lies in one chunk has a place for its sum.
 */
import { at } from '../../checked-access.js';
import { followedBy, remainder } from '../file/crc32.js';
import type { WriteRequest } from './make-stretch.js';
import { stretchRanges, type Stretch } from './stretches.js';

/** What is checked at once, and read for it. */
export const CHUNK_BYTES = 1024 * 1024;

interface Place {
  readonly begin: number;
  readonly end: number;
}

export class StretchSums {
  readonly memory: SharedArrayBuffer;
  readonly #dataStart: number;
  readonly #list: readonly Stretch[];
  /** Of the first part of each stretch. */
  readonly #firstPart: Uint32Array;
  readonly #sums: Uint32Array;

  /** @param memory of another thread, which made it with the same list */
  constructor(list: readonly Stretch[], dataStart: number, memory?: SharedArrayBuffer) {
    this.#list = list;
    this.#dataStart = dataStart;
    this.#firstPart = new Uint32Array(list.length);
    let parts = 0;
    for (const [index, stretch] of list.entries()) {
      this.#firstPart[index] = parts;
      for (const range of stretchRanges(stretch)) parts += this.#parts(range).length;
    }
    this.memory = memory ?? new SharedArrayBuffer(4 * parts);
    this.#sums = new Uint32Array(this.memory);
  }

  /** @param written what a stretch has become, in the order of `stretchRanges` */
  add(stretch: number, written: readonly WriteRequest[]): void {
    let part = at(this.#firstPart, stretch);
    for (const { bytes, position } of written) {
      for (const { begin, end } of this.#parts({ begin: position, end: position + bytes.length })) {
        this.#sums[part++] = remainder(bytes.subarray(begin - position, end - position));
      }
    }
  }

  /** The sum of each chunk of the data, once every stretch has been added. */
  chunks(dataBytes: number): Uint32Array {
    const chunks = new Uint32Array(Math.ceil(dataBytes / CHUNK_BYTES));
    let part = 0;
    for (const stretch of this.#list) {
      for (const range of stretchRanges(stretch)) {
        for (const { begin, end } of this.#parts(range)) {
          const chunk = Math.floor((begin - this.#dataStart) / CHUNK_BYTES);
          const chunkEnd = this.#dataStart + Math.min(dataBytes, (chunk + 1) * CHUNK_BYTES);
          chunks[chunk] = at(chunks, chunk) ^ followedBy(at(this.#sums, part++), chunkEnd - end);
        }
      }
    }
    return chunks;
  }

  /** Cut where chunks end. */
  #parts({ begin, end }: Place): Place[] {
    const parts: Place[] = [];
    for (let partBegin = begin; partBegin < end;) {
      const within = (partBegin - this.#dataStart) % CHUNK_BYTES;
      const partEnd = Math.min(end, partBegin - within + CHUNK_BYTES);
      parts.push({ begin: partBegin, end: partEnd });
      partBegin = partEnd;
    }
    return parts;
  }
}
