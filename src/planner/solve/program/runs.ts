/** Runs of items that are alike: how many of a run go where is all that matters. */
import type { Item, Problem } from '../problem.js';

/** The numbers of the items of a run, in order. An item that others refer to beyond the next is a run of its own. */
export type Run = readonly number[];

export function runsOf({ items }: Problem): Run[] {
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
  return runs;
}

/** Items that are alike wherever they stand: where crossings cost nothing, only the number of each kind matters. */
export function kindsOf(problem: Problem): Run[] {
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
