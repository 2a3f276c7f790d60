import type { Fields } from './class-rules.js';

type Vocabulary = ReadonlyMap<string, number>;

/** What is used of a tokenizer's model: the package's own types do not resolve. */
export interface TokenModel {
  /** What `tokenizer.json` says of it. */
  readonly config: Fields;
  readonly vocab: readonly (string | undefined)[];
  readonly tokens_to_ids: Vocabulary;
  readonly unk_token_id: number | undefined;
  /** A Unigram's, by id. */
  readonly scores?: number[];
  /** Whether unknown tokens that follow each other are one. */
  readonly fuse_unk: boolean;
  encode(words: readonly string[]): readonly string[];
  /** A Unigram's, whose `encode` fails at words of more tokens than a call has arguments. */
  tokenize?(word: string): readonly string[];
}

/** The package has what is unknown count in place of the score that its token, which a text may hold, has by the file. */
export function mendScores({ config, scores, unk_token_id: unknown }: TokenModel): void {
  const { vocab } = config;
  if (scores === undefined || unknown === undefined || !Array.isArray(vocab)) return;
  scores[unknown] = Number([vocab[unknown]].flat()[1]);
}

/**
 * Ids of a word as tokenizers 0.23 (Rust) has them. Calling the package's model would look what is unknown up letter by letter,
 * each time from its beginning.
 */
export function wordIds(word: string, model: TokenModel): number[] {
  const { config, tokens_to_ids: idOf, unk_token_id: unknown = NaN, fuse_unk: isFused } = model;
  const { type, byte_fallback: hasBytes } = config;
  const ids: number[] = [];
  let unknownText = '';
  const endUnknown = (): void => {
    if (unknownText === '') return;
    // Letters that are unknown one by one may be a token together.
    const together = type === 'Unigram' ? idOf.get(unknownText) : unknown;
    const bytes = together === undefined && hasBytes === true ? byteIds(unknownText, idOf) : null;
    for (const id of bytes ?? [together ?? unknown]) ids.push(id);
    unknownText = '';
  };
  const text = known(word, model);
  for (const token of model.tokenize?.(text) ?? model.encode([text])) {
    const id = idOf.get(token) ?? unknown;
    const isUnknown = id === unknown;
    // What a BPE writes as bytes comes before the unknown letters that it follows.
    if (isUnknown ? !isFused : !(type === 'BPE' && hasBytes === true && BYTE.test(token))) endUnknown();
    if (isUnknown) unknownText += token;
    else ids.push(id);
  }
  endUnknown();
  return ids;
}

const BYTE = /^<0x[\dA-F]{2}>$/;

/** A BPE that has no token for what is unknown leaves that out before it merges, and what was around it may become one. */
function known(word: string, { config, tokens_to_ids: idOf, unk_token_id: unknown }: TokenModel): string {
  const { type, ignore_merges: isWhole, byte_fallback: hasBytes } = config;
  if (type !== 'BPE' || unknown !== undefined || (isWhole === true && idOf.has(word))) return word;
  const isKnown = (letter: string): boolean =>
    idOf.has(letter) || (hasBytes === true && byteIds(letter, idOf) !== null);
  return Array.from(word).filter(isKnown).join('');
}

/** Ids of the bytes' tokens, or null where one is lacking. */
function byteIds(text: string, idOf: Vocabulary): number[] | null {
  const names = Array.from(Buffer.from(text), (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const ids = names.flatMap((name) => idOf.get(name) ?? []);
  return ids.length === names.length ? ids : null;
}
