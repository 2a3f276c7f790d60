/** Tokens that a text is searched for before the tokenizer's model is asked, by the rules of tokenizers 0.23 (Rust). */
import type { Fields } from './class-rules.js';
import { unicodeClass } from './unicode-class.js';
import { WORD } from './unicode-tables.js';
import { spaceAfter, spaceBefore } from './white-space.js';

/** Of a text: a token that was found, or what the model is asked about. */
export type Piece =
  | { readonly id: number }
  /** `isFirst` where nothing of the text comes before. */
  | { readonly id: null; readonly text: string; readonly isFirst: boolean };

interface Wanted {
  readonly id: number;
  /** What a text is searched for. */
  readonly form: string;
  /** Alone where words would go on around it. */
  readonly isWord: boolean;
  readonly takesBefore: boolean;
  readonly takesAfter: boolean;
}

/** By their first character, the longest first. */
type Search = ReadonlyMap<string, readonly Wanted[]>;

export class TokenSearch {
  readonly #plain: Search;
  readonly #normal: Search;
  readonly #normalize: (text: string) => string;
  readonly #forms = new Map<number, string>();
  readonly #special: ReadonlySet<string>;

  /**
   * @param tokens `added_tokens` of a `tokenizer.json`
   * @param normalize what is made of a text before the tokens are looked for that ask for it
   */
  constructor(tokens: readonly Fields[], normalize: (text: string) => string) {
    const special = tokens.filter((token) => token['special'] === true);
    this.#special = new Set(special.map(({ content }) => String(content)));
    this.#normalize = normalize;
    const isNormal = (token: Fields): boolean => (token['normalized'] ?? token['special'] !== true) === true;
    const wanted = (token: Fields): Wanted => ({
      id: Number(token['id']),
      form: isNormal(token) ? normalize(String(token['content'])) : String(token['content']),
      isWord: token['single_word'] === true,
      takesBefore: token['lstrip'] === true,
      takesAfter: token['rstrip'] === true,
    });
    // Of two that look alike in a text, a special one counts, and the first.
    const inOrder = [...special, ...tokens.filter((token) => !special.includes(token))];
    this.#plain = searchFor(inOrder.filter((token) => !isNormal(token)).map(wanted));
    this.#normal = searchFor(inOrder.filter(isNormal).map(wanted));
    for (const { id, form } of tokens.map(wanted)) this.#forms.set(id, form);
  }

  pieces(text: string): Piece[] {
    return cut(text, this.#plain).flatMap((piece): Piece[] => {
      if (piece.id !== null) return [piece];
      return cut(this.#normalize(piece.text), this.#normal).map((inner) =>
        inner.id === null ? { ...inner, isFirst: inner.isFirst && piece.isFirst } : inner,
      );
    });
  }

  /** By what a normalizer makes of it: so tokenizers calls a token that is looked for in normal texts (`findings/tokenizers-normalized-special.sh`). */
  nameOf(id: number): string | undefined {
    return this.#forms.get(id);
  }

  isSpecial(name: string): boolean {
    return this.#special.has(name);
  }
}

function searchFor(tokens: readonly Wanted[]): Search {
  const search = new Map<string, Wanted[]>();
  for (const token of tokens) {
    const [first] = token.form;
    if (first !== undefined) search.set(first, [...(search.get(first) ?? []), token]);
  }
  for (const alike of search.values()) alike.sort((a, b) => b.form.length - a.form.length);
  return search;
}

function cut(text: string, search: Search): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  const pushText = (end: number): void => {
    if (end > done) pieces.push({ id: null, text: text.slice(done, end), isFirst: done === 0 });
  };
  for (let at = 0; at < text.length;) {
    const first = String.fromCodePoint(text.codePointAt(at) ?? 0);
    const token = search.get(first)?.find(({ form }) => text.startsWith(form, at));
    if (token === undefined) {
      at += first.length;
      continue;
    }
    const end = at + token.form.length;
    if (!token.isWord || !isAmidWord(text, at, end)) {
      // White space that the token before has taken stays with that, and may be all that there is of this one.
      const begin = token.takesBefore ? Math.max(done, spaceBefore(text, at, done)) : at;
      pushText(begin);
      done = token.takesAfter ? spaceAfter(text, Math.max(done, end)) : end;
      if (done > begin) pieces.push({ id: token.id });
    }
    at = end;
  }
  pushText(text.length);
  return pieces;
}

const isAmidWord = (text: string, begin: number, end: number): boolean =>
  ENDS_IN_WORD.test(text.slice(Math.max(0, begin - 2), begin)) || BEGINS_WITH_WORD.test(text.slice(end, end + 2));

const LETTERS = `[${unicodeClass(WORD)}]`;
const ENDS_IN_WORD = new RegExp(`${LETTERS}$`, 'u');
const BEGINS_WITH_WORD = new RegExp(`^${LETTERS}`, 'u');
