import { closest as nearest, distance } from 'fastest-levenshtein';

/** The name that a mistyped word was probably meant to be: a third of its letters may be wrong. */
export function closest(word: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const small = word.toLowerCase();
  const inSmall = new Map(names.map((name) => [name.toLowerCase(), name]));
  const name = nearest(small, [...inSmall.keys()]);
  return distance(small, name) <= Math.max(1, Math.floor(word.length / 3)) ? inSmall.get(name) : undefined;
}

/** `Did you mean --vram? `, or nothing, to stand before a hint. */
export function didYouMean(words: readonly string[], names: readonly string[]): string {
  const meant = new Set(words.flatMap((word) => closest(word, names) ?? []));
  return meant.size === 0 ? '' : `Did you mean ${[...meant].join(' and ')}? `;
}
