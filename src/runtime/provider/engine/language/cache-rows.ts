/** Which row of the caches holds which sequence, and how many tokens each row has. */
import { assignSlots } from './cache-slots.js';

export class CacheRows {
  /** Row of each sequence. */
  slots: readonly number[];
  /** Tokens in each row; those of rows without a sequence say nothing. */
  readonly lengths: number[];

  /** @param lengths tokens of each sequence, one row for each */
  constructor(lengths: readonly number[]) {
    this.slots = lengths.map((_, row) => row);
    this.lengths = [...lengths];
  }

  get count(): number {
    return this.lengths.length;
  }

  /** Of the longest row. */
  get length(): number {
    return Math.max(...this.lengths);
  }

  /**
   * @param parents the sequence that each of the next ones continues
   * @param copyRow takes over the caches of one row in another
   */
  continueFrom(parents: readonly number[], copyRow: (from: number, to: number) => void): void {
    while (this.count < parents.length) this.lengths.push(0);
    const { slots, copies } = assignSlots(this.slots, parents, this.count);
    for (const { from, to } of copies) {
      copyRow(from, to);
      this.lengths[to] = this.lengths[from] ?? 0;
    }
    this.slots = slots;
  }

  /** Every sequence has got one token more. */
  grow(): void {
    for (const slot of this.slots) this.lengths[slot] = (this.lengths[slot] ?? 0) + 1;
  }
}
