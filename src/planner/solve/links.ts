/** Which items of a chain have to do with one another, whichever end it begins at. */
import { at } from '../../checked-access.js';
import type { Input, Problem } from './problem.js';

/**
 * In a captioning model the last blocks are large and run per token, the first are small and run once: from the end, the dear ones are
 * decided first and the cheap ones left to fill the gaps, so that good placements turn up early.
 */
export type Direction = 'forward' | 'backward';

/** What an item has to do with those before it in the chain. */
export interface Links {
  /** The one before that has to share its place. */
  readonly sameAs: number | null;
  readonly crossings: readonly Input[];
}

/** Per item of the chain. */
export function linksOf({ items }: Problem, direction: Direction): Links[] {
  const position = (i: number): number => (direction === 'forward' ? i : items.length - 1 - i);
  const crossings = items.map((): Input[] => []);
  const roots: number[] = [];
  for (const [i, { sameAs, inputs }] of items.entries()) {
    roots.push(sameAs === null ? i : at(roots, sameAs));
    for (const { from, cost } of inputs) {
      const ends = [position(from), position(i)];
      at(crossings, Math.max(...ends)).push({ from: Math.min(...ends), cost });
    }
  }
  const latest = new Map<number, number>();
  return crossings.map((own, i) => {
    const root = at(roots, position(i));
    const sameAs = latest.get(root) ?? null;
    latest.set(root, i);
    return { sameAs, crossings: own };
  });
}
