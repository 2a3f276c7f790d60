/**
 * Where @huggingface/tokenizers 0.2 answers otherwise than tokenizers 0.23 (Rust), which transformers runs, its steps are
 * given Rust's rules: what is white space, where words begin, small letters, Han characters beyond 16 bits, bytes that are no text
 * (`findings/tokenizers-js-own-characters.sh`, `findings/tokenizers-js-own-charsmap.sh`).
 * Categories are those of `unicode-tables.ts`, not of this JavaScript's Unicode.
 */
import type { Tokenizer } from '@huggingface/tokenizers';
import { bertCutter, bertNormalizer, smallLetters } from './bert-steps.js';
import { cutterAt, digitCutter, isBehavior, punctuationCutter, withReplaced, wordCutter } from './cut-text.js';
import { PrecompiledCharsmap } from './precompiled-charsmap.js';
import { spaceAfter, spaceBefore } from './white-space.js';
import { unicodeClass } from './unicode-class.js';
import { LETTER, NUMBER } from './unicode-tables.js';

/** A step of a `Tokenizer`, as far as it is mended: the package's own types do not resolve. */
interface Step {
  /** Those of a sequence. */
  readonly normalizers?: readonly (Step | null)[];
  readonly tokenizers?: readonly (Step | null)[];
  readonly decoders?: readonly (Step | null)[];
  normalize?: (text: string) => string;
  pattern?: unknown;
  byte_decoder?: Readonly<Record<string, number | string>>;
  pre_tokenize_text?: (text: string, options?: object) => string[];
  decode_chain?: (tokens: string[]) => string[];
}

/** What `tokenizer.json` says of a step. */
type Config = Readonly<Record<string, unknown>>;

/**
 * @param tokenizerJson what the tokenizer was made of
 * @throws Error for a charsmap that cannot be read
 */
export function mendSteps({ normalizer, pre_tokenizer: cutter, decoder }: Tokenizer, tokenizerJson: Config): void {
  everyStep(normalizer, tokenizerJson['normalizer'], mendNormalizer);
  everyStep(cutter, tokenizerJson['pre_tokenizer'], mendCutter);
  everyStep(decoder, tokenizerJson['decoder'], mendDecoder);
}

function everyStep(step: Step | null | undefined, config: unknown, mend: (step: Step, config: Config) => void): void {
  if (step === null || step === undefined || !isRecord(config)) return;
  const inner = config['normalizers'] ?? config['pretokenizers'] ?? config['decoders'];
  if (Array.isArray(inner)) {
    const steps = step.normalizers ?? step.tokenizers ?? step.decoders ?? [];
    for (const [i, innerConfig] of inner.entries()) everyStep(steps[i], innerConfig, mend);
  }
  mend(step, config);
}

function mendNormalizer(step: Step, config: Config): void {
  const { type, precompiled_charsmap: encoded, strip_left: left, strip_right: right } = config;
  if (type === 'Precompiled' && typeof encoded === 'string') {
    const charsmap = new PrecompiledCharsmap(Buffer.from(encoded, 'base64'));
    step.normalize = (text) => charsmap.normalize(text);
  }
  if (type === 'Strip') {
    step.normalize = (text) =>
      text.slice(left === true ? spaceAfter(text, 0) : 0, right === true ? spaceBefore(text, text.length) : undefined);
  }
  const { pattern } = step;
  if (type === 'Replace' && pattern instanceof RegExp) {
    step.normalize = (text) => withReplaced(text, pattern, config['content']);
  }
  if (type === 'Prepend') step.normalize = (text) => (text === '' ? '' : `${String(config['prepend'])}${text}`);
  if (type === 'BertNormalizer') step.normalize = bertNormalizer(config);
  if (type === 'Lowercase') step.normalize = smallLetters;
}

function mendCutter(step: Step, config: Config): void {
  const { type, split, replacement = '▁', behavior = 'Isolated', invert, individual_digits: areAlone } = config;
  if (type === 'WhitespaceSplit') step.pre_tokenize_text = (text) => text.match(WORDS) ?? [];
  if (type === 'Metaspace' && split !== false && typeof replacement === 'string') {
    const cut = step.pre_tokenize_text?.bind(step);
    // The package's own leaves the text whole: which of two equally likely tokens comes first would depend on all before them.
    step.pre_tokenize_text = (text, options) =>
      (cut?.(text, options) ?? []).flatMap((piece) => wordsOf(piece, replacement));
  }
  if (type === 'BertPreTokenizer') step.pre_tokenize_text = bertCutter();
  if (type === 'Whitespace') step.pre_tokenize_text = wordCutter();
  if (type === 'Digits') step.pre_tokenize_text = digitCutter(areAlone === true);
  if (type === 'Punctuation' && isBehavior(behavior)) step.pre_tokenize_text = punctuationCutter(behavior);
  if (!(step.pattern instanceof RegExp)) return;
  const pattern = withClasses(step.pattern);
  if (type === 'ByteLevel') step.pattern = pattern;
  if (type === 'Split' && isBehavior(behavior)) step.pre_tokenize_text = cutterAt(pattern, behavior, invert === true);
}

/** Each mark begins a word. */
function wordsOf(text: string, mark: string): string[] {
  const [first = '', ...others] = text.split(mark);
  return [...(first === '' ? [] : [first]), ...others.map((word) => mark + word)];
}

function mendDecoder(step: Step, { type, replacement = '▁', prepend_scheme: scheme, content }: Config): void {
  if (type === 'ByteFallback') step.decode_chain = withTextOfBytes;
  const { byte_decoder: bytes } = step;
  if (type === 'ByteLevel' && bytes !== undefined) step.decode_chain = (tokens) => [textOfLetters(tokens, bytes)];
  if (type === 'Metaspace') {
    step.decode_chain = (tokens) =>
      tokens.map((token, place) => token.replaceAll(String(replacement), place === 0 && scheme !== 'never' ? '' : ' '));
  }
  const { pattern } = step;
  if (type === 'Replace' && pattern instanceof RegExp) {
    step.decode_chain = (tokens) => tokens.map((token) => withReplaced(token, pattern, content));
  }
}

/** Each token is its letters' bytes, or its own where one of them stands for none. */
function textOfLetters(tokens: readonly string[], byteOf: Readonly<Record<string, number | string>>): string {
  const bytes: number[] = [];
  for (const token of tokens) {
    const start = bytes.length;
    for (const letter of token) bytes.push(Number(byteOf[letter] ?? NaN));
    if (bytes.includes(NaN, start)) bytes.splice(start, Infinity, ...UTF8.encode(token));
  }
  return LOSSY_UTF8.decode(Uint8Array.from(bytes));
}

function isRecord(value: unknown): value is Config {
  return typeof value === 'object' && value !== null;
}

/**
 * `\s` of JavaScript has U+FEFF, which is no white space for Unicode, and lacks U+0085, which is; letters and numbers are those
 * of the Unicode that this JavaScript has.
 */
function withClasses({ source, flags }: RegExp): RegExp {
  let isInside = false;
  const mended = source.replace(/\\[pP]\{\w+\}|\\[^]|[[\]]/gu, (part) => {
    if (part === '[' || part === ']') isInside = part === '[';
    if (part === '\\s') return '\\p{White_Space}';
    if (part === '\\S') return '\\P{White_Space}';
    const table = part === '\\p{L}' ? LETTER : part === '\\p{N}' ? NUMBER : null;
    if (table === null || !flags.includes('u')) return part;
    return isInside ? unicodeClass(table) : `[${unicodeClass(table)}]`;
  });
  return new RegExp(mended, flags);
}

const WORDS = /\P{White_Space}+/gu;

/** Runs of tokens such as `<0xE7>` become the text that they are, or a replacement character for each where they are none. */
function withTextOfBytes(tokens: readonly string[]): string[] {
  const texts: string[] = [];
  let run: number[] = [];
  const endRun = (): void => {
    if (run.length > 0) texts.push(textOfRun(run));
    run = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([\dA-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) run.push(parseInt(byte, 16));
    else {
      endRun();
      texts.push(token);
    }
  }
  endRun();
  return texts;
}

const UTF8 = new TextEncoder();
const LOSSY_UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOfRun(bytes: readonly number[]): string {
  try {
    return STRICT_UTF8.decode(Uint8Array.from(bytes));
  } catch {
    return '\ufffd'.repeat(bytes.length);
  }
}
