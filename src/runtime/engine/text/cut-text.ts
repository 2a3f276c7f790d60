/**
 * Where tokenizers 0.23 (Rust) cuts a text that a pattern is found in: @huggingface/tokenizers 0.2 knows two of its five ways
 * (`findings/tokenizers-js-cuts.sh`).
 */
import { unicodeClass } from './unicode-class.js';
import { BERT_PUNCTUATION, NUMERIC, WORD } from './unicode-tables.js';

/** What becomes of what is found. */
export type Behavior = 'Removed' | 'Isolated' | 'Contiguous' | 'MergedWithPrevious' | 'MergedWithNext';

interface Part {
  readonly text: string;
  readonly isFound: boolean;
}

/** Whether two parts, which follow each other, stay together. */
const STAYS: Readonly<Record<Behavior, (before: Part, part: Part) => boolean>> = {
  Removed: () => false,
  Isolated: () => false,
  Contiguous: (before, part) => before.isFound === part.isFound,
  MergedWithPrevious: (before, part) => !before.isFound && part.isFound,
  MergedWithNext: (before, part) => before.isFound && !part.isFound,
};

export function isBehavior(value: unknown): value is Behavior {
  return typeof value === 'string' && Object.hasOwn(STAYS, value);
}

/** @param isInverted whether all else counts as found */
export function cutterAt(pattern: RegExp, behavior: Behavior, isInverted = false): (text: string) => string[] {
  const stays = STAYS[behavior];
  return (text) => {
    const pieces: string[] = [];
    let before: Part | undefined;
    for (const { text: each, isFound } of partsOf(text, pattern)) {
      const part = { text: each, isFound: isFound !== isInverted };
      if (before !== undefined && stays(before, part)) pieces.push((pieces.pop() ?? '') + each);
      else if (behavior !== 'Removed' || !part.isFound) pieces.push(each);
      before = part;
    }
    return pieces.filter((piece) => piece !== '');
  };
}

/** @param content what all that is found becomes, as it stands: "$1" is that */
export const withReplaced = (text: string, pattern: RegExp, content: unknown): string =>
  partsOf(text, pattern)
    .map((part) => (part.isFound ? (typeof content === 'string' ? content : '') : part.text))
    .join('');

function partsOf(text: string, pattern: RegExp): Part[] {
  const parts: Part[] = [];
  let end = 0;
  let isBehindFound = false;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    // For Rust, where a match ends is no place for one without letters; nor is, other than for JavaScript, the midst of a character.
    const isNoPlace = (isBehindFound && index === end) || (text.codePointAt(index - 1) ?? 0) > 0xffff;
    if (found === '' && isNoPlace) continue;
    if (index > end) parts.push({ text: text.slice(end, index), isFound: false });
    parts.push({ text: found, isFound: true });
    end = index + found.length;
    isBehindFound = true;
  }
  if (end < text.length) parts.push({ text: text.slice(end), isFound: false });
  return parts;
}

/** Marks of punctuation; one by one where nothing else is said. */
export const punctuationCutter = (behavior: Behavior): ((text: string) => string[]) =>
  cutterAt(new RegExp(`[${unicodeClass(BERT_PUNCTUATION)}]`, 'gu'), behavior);

/** Digits and all other numbers, by themselves or with those beside them. */
export const digitCutter = (areAlone: boolean): ((text: string) => string[]) =>
  cutterAt(new RegExp(`[${unicodeClass(NUMERIC)}]`, 'gu'), areAlone ? 'Isolated' : 'Contiguous');

/** Words, and what is neither words nor white space. */
export function wordCutter(): (text: string) => string[] {
  const word = unicodeClass(WORD);
  const pieces = new RegExp(`[${word}]+|[^${word}\\p{White_Space}]+`, 'gu');
  return (text) => text.match(pieces) ?? [];
}
