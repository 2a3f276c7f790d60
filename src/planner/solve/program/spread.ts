/** From how many items of a run each place gets to which: every device's part in one piece where that goes. */
import { at } from '../../../checked-access.js';

export interface RunCounts {
  /** Place -> how many. */
  readonly counts: ReadonlyMap<number, number>;
  /** The devices that hold the first and the last; -1 where that does not matter. */
  readonly first: number;
  readonly last: number;
}

/** The place of every item of the run, in order. */
export function spread({ counts, first, last }: RunCounts, homes: readonly number[]): number[] {
  const partOf = (device: number): number[] =>
    [...counts].flatMap(([place, count]) =>
      homes[place] === device ? Array.from({ length: count }, () => place) : [],
    );
  const devices = [...new Set([...counts.keys()].map((place) => at(homes, place)))];
  const between = devices.filter((device) => device !== first && device !== last).flatMap(partOf);
  const head = first < 0 ? [] : partOf(first);
  if (first !== last) return [...head, ...between, ...(last < 0 ? [] : partOf(last))];
  return between.length === 0 ? head : [...head.slice(0, -1), ...between, ...head.slice(-1)];
}
