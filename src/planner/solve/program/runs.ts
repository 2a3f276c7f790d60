/** Items that are alike: how many of them go where is all that matters. */
import { at } from '../../../checked-access.js';
import { numbering, type Problem } from '../problem.js';

/** Items of which only the numbers of each kind count. */
export interface Group {
  /** Their numbers, ascending. */
  readonly items: readonly number[];
  /** The same by kind. */
  readonly kinds: readonly (readonly number[])[];
  /** Whether they follow one another, so that crossings can be counted. */
  readonly isRun: boolean;
}

/**
 * How much of the chain's order is kept. `runs`: all of it. `stretches`: all but whose neighbour is whose amongst single items
 * of a few kinds that follow one another. `mixed`: that of runs; single items count by kind wherever they stand. `kinds`:
 * none, as where crossings cost nothing.
 */
export type Order = 'runs' | 'stretches' | 'mixed' | 'kinds';

export function groupsOf({ items }: Problem, order: Order): Group[] {
  const numberOf = numbering();
  const tied = new Set(items.flatMap(({ sameAs }, i) => (sameAs === null ? [] : [i, sameAs])));
  const kinds = items.map(
    ({ cost, use, peak }, i) => `${cost.join()};${numberOf(use)};${numberOf(peak)};${tied.has(i) ? i : ''}`,
  );
  const kindOf = (i: number): string => at(kinds, i);
  const all = [...items.keys()];
  const groupOf = (own: readonly number[], isRun: boolean): Group => ({
    items: own,
    kinds: grouped(own, kindOf),
    isRun,
  });
  if (order === 'kinds') return grouped(all, kindOf).map((own) => groupOf(own, false));
  // What others refer to beyond the next, and what refers so, is a run of its own.
  const skips = items.flatMap(({ inputs }, i) => inputs.flatMap(({ from }) => (from === i - 1 ? [] : [i, from])));
  const alone = new Set([...tied, ...skips]);
  const entryOf = (i: number): string =>
    at(items, i)
      .inputs.map(({ cost }) => numberOf(cost))
      .join();
  const runs = joined(all, (i) => (alone.has(i) ? null : kindOf(i)), entryOf);
  if (order === 'runs') return runs.map((own) => groupOf(own, true));
  const single = runs.filter(({ length }) => length === 1).flat();
  if (order === 'mixed') {
    const mixed = grouped(single, kindOf).map((own) => groupOf(own, own.length === 1));
    return [...runs.filter(({ length }) => length > 1).map((own) => groupOf(own, true)), ...mixed];
  }
  const free = single.filter((i) => !alone.has(i));
  const turning = new Set(
    grouped(free, kindOf)
      .filter(({ length }) => length > 1)
      .flat(),
  );
  const stretches = joined(
    runs,
    (run) => (turning.has(at(run, 0)) ? 'turns' : null),
    (run) => entryOf(at(run, 0)),
  );
  return stretches.map((parts) => groupOf(parts.flat(), true));
}

/** Neighbours with the same key, as long as it costs the same to come from the one before; those without a key stay alone. */
function joined<T>(parts: readonly T[], keyOf: (part: T) => string | null, entryOf: (part: T) => string): T[][] {
  const result: T[][] = [];
  let lastKey: string | null = null;
  let lastEntry: string | null = null;
  for (const part of parts) {
    const [key, entry] = [keyOf(part), entryOf(part)];
    const joins: boolean = key !== null && key === lastKey && (lastEntry ?? entry) === entry;
    if (joins) result.at(-1)?.push(part);
    else result.push([part]);
    lastKey = key;
    lastEntry = joins ? entry : null;
  }
  return result;
}

function grouped(items: readonly number[], keyOf: (i: number) => string): number[][] {
  const groups = new Map<string, number[]>();
  for (const i of items) {
    const own = groups.get(keyOf(i));
    if (own === undefined) groups.set(keyOf(i), [i]);
    else own.push(i);
  }
  return [...groups.values()];
}
