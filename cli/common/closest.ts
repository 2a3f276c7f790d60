import { closest as nearest, distance } from 'fastest-levenshtein';

/** The name that a mistyped word was probably meant to be: two letters may have changed places, or a third of them be wrong. */
export function closest(word: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const small = word.toLowerCase();
  const inSmall = new Map(names.map((name) => [name.toLowerCase(), name]));
  const swapped = [...inSmall.keys()].find((name) => letters(name) === letters(small) && distance(small, name) <= 2);
  if (swapped !== undefined) return inSmall.get(swapped);
  const name = nearest(small, [...inSmall.keys()]);
  return distance(small, name) <= Math.max(1, Math.floor(word.length / 3)) ? inSmall.get(name) : undefined;
}

const letters = (word: string): string => word.split('').toSorted().join('');

/** `Did you mean --vram? `, or nothing, to stand before a hint. */
export function didYouMean(words: readonly string[], names: readonly string[]): string {
  const meant = new Set(words.flatMap((word) => closest(word, names) ?? []));
  return meant.size === 0 ? '' : `Did you mean ${[...meant].join(' and ')}? `;
}
