/** BERT's normalizer and cutter as tokenizers 0.23 (Rust) has them: categories of Unicode 8, and decomposition before small letters. */
import { unicodeClass } from './unicode-class.js';
import { BERT_CONTROL, BERT_MARK, BERT_PUNCTUATION, NFD } from './unicode-tables.js';

/** What `tokenizer.json` says of the normalizer. */
export interface BertNormalizerConfig {
  readonly clean_text?: unknown;
  readonly handle_chinese_chars?: unknown;
  readonly strip_accents?: unknown;
  readonly lowercase?: unknown;
}

/** What is not said is as Rust has it: all on, and accents as small letters. */
export function bertNormalizer(config: BertNormalizerConfig): (text: string) => string {
  const lowercase = config.lowercase !== false;
  const stripAccents = typeof config.strip_accents === 'boolean' ? config.strip_accents : lowercase;
  const [control, mark, decomposed] = [classes(BERT_CONTROL), classes(BERT_MARK), classes(NFD)];
  return (text) => {
    let normal = text;
    if (config.clean_text !== false) normal = normal.replace(control, '').replace(SPACE, ' ');
    if (config.handle_chinese_chars !== false) normal = normal.replace(HAN, ' $& ');
    if (stripAccents) normal = normal.replace(decomposed, (run) => run.normalize('NFD')).replace(mark, '');
    return lowercase ? smallLetters(normal) : normal;
  };
}

/** JavaScript makes of a sigma that ends a word a final one; Rust has every letter small by itself. */
export const smallLetters = (text: string): string => text.replaceAll('Σ', 'σ').toLowerCase();

/** Words, and marks of punctuation one by one. */
export function bertCutter(): (text: string) => string[] {
  const punctuation = unicodeClass(BERT_PUNCTUATION);
  const pieces = new RegExp(`[^\\p{White_Space}${punctuation}]+|[${punctuation}]`, 'gu');
  return (text) => text.match(pieces) ?? [];
}

const classes = (packed: string): RegExp => new RegExp(`[${unicodeClass(packed)}]+`, 'gu');

const SPACE = /\p{White_Space}/gu;

/** What BERT takes for Chinese: Rust's ranges, from U+2B920 where BERT's own begins at U+2B820. */
const HAN =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
