/** Which row of the caches holds which sequence, and how many tokens each row has. */
import { assignSlots } from './cache-slots.js';

type CopyRow = (from: number, to: number) => void;

export class CacheRows {
  #slots: readonly number[] = [];
  readonly #lengths: number[] = [];

  /** Row of each sequence. */
  get slots(): readonly number[] {
    return this.#slots;
  }

  slotsOf(sequences: readonly number[]): number[] {
    return sequences.flatMap((sequence) => this.#slots[sequence] ?? []);
  }

  /** Tokens in each row that has ever held a sequence; those of rows without one say nothing. */
  get lengths(): readonly number[] {
    return this.#lengths;
  }

  /** Rows up to the last that holds a sequence. */
  get used(): number {
    return Math.max(-1, ...this.#slots) + 1;
  }

  /** Tokens of the longest sequence. */
  get length(): number {
    return Math.max(0, ...this.#slots.map((slot) => this.#lengths[slot] ?? 0));
  }

  /**
   * @param lengths tokens of each new sequence, which are counted behind those there are
   * @returns the first of their rows, which follow one another behind all that are used
   */
  begin(lengths: readonly number[]): number {
    const first = this.used;
    for (const [index, length] of lengths.entries()) this.#setLength(first + index, length);
    this.#slots = [...this.#slots, ...lengths.map((_, index) => first + index)];
    return first;
  }

  /**
   * @param parents the sequence that each of the next ones continues
   * @param copyRow takes over the caches of one row in another
   */
  continueFrom(parents: readonly number[], copyRow: CopyRow): void {
    const { slots, copies } = assignSlots(this.#slots, parents, Math.max(this.used, parents.length));
    this.#move(copies, copyRow);
    this.#slots = slots;
  }

  /** Moves sequences from the last rows into those without one before them. */
  settle(copyRow: CopyRow): void {
    const count = this.#slots.length;
    const taken = new Set(this.#slots);
    const free = Array.from({ length: count }, (_, row) => row).filter((row) => !taken.has(row));
    const copies: { from: number; to: number }[] = [];
    this.#slots = this.#slots.map((from) => {
      const to = from < count ? undefined : free.pop();
      if (to === undefined) return from;
      copies.push({ from, to });
      return to;
    });
    this.#move(copies, copyRow);
  }

  /** Every sequence has got one token more. */
  grow(): void {
    for (const slot of this.#slots) this.#setLength(slot, (this.#lengths[slot] ?? 0) + 1);
  }

  #move(copies: readonly { readonly from: number; readonly to: number }[], copyRow: CopyRow): void {
    for (const { from, to } of copies) {
      copyRow(from, to);
      this.#setLength(to, this.#lengths[from] ?? 0);
    }
  }

  #setLength(row: number, length: number): void {
    while (this.#lengths.length < row) this.#lengths.push(0);
    this.#lengths[row] = length;
  }
}
