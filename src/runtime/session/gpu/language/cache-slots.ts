/**
 * Which row of the caches continues which sequence. A sequence keeps its row as long as it can, so greedy search copies
 * nothing when rows end, and beam search copies only the beams that two continue.
 */
export interface SlotChange {
  /** Row of the caches for each sequence. */
  readonly slots: readonly number[];
  /** Rows to copy before the next token. No target is a source of another copy. */
  readonly copies: readonly RowCopy[];
}

export interface RowCopy {
  readonly from: number;
  readonly to: number;
}

/**
 * @param slots row of each sequence until now
 * @param parents the sequence that each of the next ones continues
 * @param rows how many rows there are; at least as many as parents
 */
export function assignSlots(slots: readonly number[], parents: readonly number[], rows: number): SlotChange {
  const sources = parents.map((parent) => slots[parent] ?? 0);
  const needed = new Set(sources);
  const free = Array.from({ length: rows }, (_, row) => row).filter((row) => !needed.has(row));
  const taken = new Set<number>();
  const copies: RowCopy[] = [];
  const next = sources.map((from) => {
    if (!taken.has(from)) {
      taken.add(from);
      return from;
    }
    const to = free.pop();
    if (to === undefined) throw new RangeError(`${parents.length} sequences in ${rows} rows`);
    copies.push({ from, to });
    return to;
  });
  return { slots: next, copies };
}
