/** Items that are alike: how many of them go where is all that matters. */
import { at } from '../../../checked-access.js';
import type { Item, Problem } from '../problem.js';

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

export function groupsOf(problem: Problem, order: Order): Group[] {
  const kinds = kindsOf(problem);
  if (order === 'kinds') return kinds.map((items) => ({ items, kinds: [items], isRun: false }));
  const { runs, alone } = runsOf(problem);
  if (order === 'runs') return runs.map((items) => ({ items, kinds: [items], isRun: true }));
  const single = new Set(runs.flatMap((items) => (items.length === 1 ? items : [])));
  if (order === 'stretches') {
    return stretchesOf(
      problem,
      runs,
      kinds.map((kind) => kind.filter((i) => single.has(i) && !alone.has(i))),
    );
  }
  const singles = kinds.map((kind) => kind.filter((i) => single.has(i))).filter(({ length }) => length > 0);
  return [
    ...runs.filter(({ length }) => length > 1).map((items): Group => ({ items, kinds: [items], isRun: true })),
    ...singles.map((items): Group => ({ items, kinds: [items], isRun: items.length === 1 })),
  ];
}

/**
 * Runs, those in a row of which each is of one of `kinds` (of which there is more than one) put together as long as it costs
 * the same to come from the one before.
 */
function stretchesOf(
  { items }: Problem,
  runs: readonly (readonly number[])[],
  kinds: readonly (readonly number[])[],
): Group[] {
  const kindOf = new Map(kinds.filter(({ length }) => length > 1).flatMap((kind) => kind.map((i) => [i, kind])));
  const numberOf = numbering();
  const stretches: { readonly items: number[]; readonly kinds: Map<readonly number[], number[]> }[] = [];
  let open: { readonly last: (typeof stretches)[number]; readonly entry: string | null } | null = null;
  for (const run of runs) {
    const kind = kindOf.get(at(run, 0));
    const entry = at(items, at(run, 0))
      .inputs.map(({ cost }) => numberOf(cost))
      .join();
    const joins: boolean = open !== null && kind !== undefined && (open.entry ?? entry) === entry;
    const last: (typeof stretches)[number] = joins && open !== null ? open.last : { items: [], kinds: new Map() };
    if (!joins) stretches.push(last);
    last.items.push(...run);
    last.kinds.set(kind ?? run, [...(last.kinds.get(kind ?? run) ?? []), ...run]);
    open = kind === undefined ? null : { last, entry: joins ? entry : null };
  }
  return stretches.map(({ items: own, kinds: parts }) => ({ items: own, kinds: [...parts.values()], isRun: true }));
}

/** Items alike in a row. An item that others refer to beyond the next is a run of its own, and `alone`. */
function runsOf({ items }: Problem): { runs: number[][]; alone: ReadonlySet<number> } {
  const alone = new Set<number>();
  for (const [i, { sameAs, inputs }] of items.entries()) {
    if (sameAs !== null) alone.add(i).add(sameAs);
    for (const { from } of inputs) if (from !== i - 1) alone.add(i).add(from);
  }
  const numberOf = numbering();
  const kindOf = ({ cost, use, peak }: Item): string => `${cost.join()};${numberOf(use)};${numberOf(peak)}`;
  const entryOf = ({ inputs }: Item): string => inputs.map(({ cost }) => numberOf(cost)).join();
  const runs: number[][] = [];
  let last: { readonly kind: string; readonly entry: string | null } | null = null;
  for (const [i, item] of items.entries()) {
    const kind = kindOf(item);
    const entry = entryOf(item);
    if (last !== null && !alone.has(i) && last.kind === kind && (last.entry ?? entry) === entry) {
      runs.at(-1)?.push(i);
      last = { kind, entry };
    } else {
      runs.push([i]);
      last = alone.has(i) ? null : { kind, entry: null };
    }
  }
  return { runs, alone };
}

/** Items that are alike wherever they stand: where crossings cost nothing, only the number of each kind matters. */
function kindsOf(problem: Problem): number[][] {
  const { items } = problem;
  const numberOf = numbering();
  const kinds = new Map<string, number[]>();
  const tied = new Set(items.flatMap(({ sameAs }, i) => (sameAs === null ? [] : [i, sameAs])));
  for (const [i, { cost, use, peak }] of items.entries()) {
    const key = tied.has(i) ? `${i}` : `${cost.join()};${numberOf(use)};${numberOf(peak)}`;
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, [i]);
    else kind.push(i);
  }
  return [...kinds.values()];
}

/** Equal matrices have equal numbers. */
function numbering(): (matrix: readonly (readonly number[])[]) => number {
  const byIdentity = new Map<object, number>();
  const byValue = new Map<string, number>();
  return (matrix) => {
    const seen = byIdentity.get(matrix);
    if (seen !== undefined) return seen;
    const key = matrix.map((row) => row.join()).join(';');
    const found = byValue.get(key) ?? byValue.size;
    byValue.set(key, found);
    byIdentity.set(matrix, found);
    return found;
  };
}
