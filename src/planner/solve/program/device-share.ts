/** What a device holds of a run, in a program of counts: in how many pieces, and whether the run's first and last. */
import { at } from '../../../checked-access.js';
import type { ProgramDraft, Term } from './integer-program.js';
import type { Group } from './runs.js';

/** What says whether a device holds a run's first and last item, and how often it is entered and left in between. */
export interface DeviceShare {
  readonly first: number;
  readonly last: number;
  readonly crossings: readonly Term[];
}

/**
 * Each piece is entered and left, but for the run's own ends: two end costs a piece, less one for each end. Exact for equal items,
 * a bound from below for several kinds.
 * @param counts by kind, columns that say how many of it go to the device's places
 * @param endCost of entering or leaving the device within the run, at least
 */
export function addShare(
  draft: ProgramDraft,
  { items, kinds }: Group,
  counts: readonly (readonly number[])[],
  endCost: number,
  isHeld: (choice: readonly number[], item: number) => boolean,
): DeviceShare {
  const size = items.length;
  const [start, end] = [at(items, 0), at(items, size - 1)];
  const own = counts.flat().map((column): Term => [column, 1]);
  const atFirst = (choice: readonly number[]): boolean => isHeld(choice, start);
  const atLast = (choice: readonly number[]): boolean => isHeld(choice, end);
  if (size === 1) {
    const here = draft.column({ value: (choice) => Number(atFirst(choice)) });
    draft.row([...own, [here, -1]], { low: 0, high: 0 });
    return { first: here, last: here, crossings: [] };
  }
  const room = own.reduce((sum, [column]) => sum + draft.upperOf(column), 0);
  const held = (choice: readonly number[]): number => items.filter((i) => isHeld(choice, i)).length;
  const pieces = (choice: readonly number[]): number =>
    items.filter((i, k) => isHeld(choice, i) && (k === 0 || !isHeld(choice, at(items, k - 1)))).length;
  const some = draft.column({ cost: 2 * endCost, value: (choice) => Number(held(choice) > 0) });
  const first = draft.column({ cost: -endCost, value: (choice) => Number(atFirst(choice)) });
  const last = draft.column({ cost: -endCost, value: (choice) => Number(atLast(choice)) });
  // Of equal items nobody needs more than two pieces.
  const isEqual = kinds.length === 1;
  const most = isEqual ? 1 : Math.min(size, room);
  const more = draft.column({
    upper: most,
    cost: 2 * endCost,
    value: (choice) => Math.max(0, Math.min(most, pieces(choice) - 1)),
  });
  draft.row([...own, [some, -Math.min(size, room)]], { high: 0 });
  draft.row(isEqual ? [...own, [more, -2]] : [...own, [some, -1], [more, -1]], { low: 0 });
  for (const column of [some, first, last]) draft.row([...own, [column, -1]], { low: 0 });
  for (const column of [first, last]) draft.atMost(column, some);
  for (const [a, mine] of kinds.entries()) {
    for (const [b, theirs] of kinds.entries()) {
      if (a === b) continue;
      const surplus = mostSurplus(items, new Set(mine), new Set(theirs));
      const terms = [
        ...at(counts, a).map((column): Term => [column, 1]),
        ...at(counts, b).map((column): Term => [column, -1]),
      ];
      draft.row([...terms, [some, -surplus], [more, -surplus]], { high: 0 });
    }
  }
  // Holding both ends without all in between means two pieces.
  const both: Term[] = [
    [first, 1],
    [last, 1],
    [more, -1],
  ];
  if (room >= size) {
    const whole = draft.column({ value: (choice) => Number(held(choice) === size) });
    draft.row([...own, [whole, -size]], { low: 0 });
    both.push([whole, -1]);
  }
  draft.row(both, { high: 1 });
  const crossings: Term[] = [
    [some, 2],
    [more, 2],
    [first, -1],
    [last, -1],
  ];
  return { first, last, crossings };
}

/** How many more of one kind than of another a piece can have. */
function mostSurplus(items: readonly number[], mine: ReadonlySet<number>, theirs: ReadonlySet<number>): number {
  let most = 0;
  let here = 0;
  for (const i of items) {
    here = Math.max(0, here + Number(mine.has(i)) - Number(theirs.has(i)));
    most = Math.max(most, here);
  }
  return most;
}
