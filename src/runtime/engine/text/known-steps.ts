/**
 * What of a `tokenizer.json` gives the ids that tokenizers 0.23 (Rust) gives, here. Of the rest @huggingface/tokenizers 0.2 takes much, and makes
 * something else of it.
 */
import { fieldsOf, type Fields } from './class-rules.js';
import { isBehavior } from './cut-text.js';

type Check = (step: Fields) => boolean;
const any: Check = () => true;
const inString: Check = ({ pattern }) => typeof fieldsOf(pattern)['String'] === 'string';
/** Rust has none that contradict each other. */
const isOneWay: Check = ({ add_prefix_space: prefix, prepend_scheme: scheme }) =>
  prefix !== false || scheme === 'never';

const KNOWN: Readonly<Record<'normalizer' | 'pre_tokenizer' | 'decoder', ReadonlyMap<string, Check>>> = {
  normalizer: new Map([
    ...['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'Strip', 'StripAccents', 'Prepend', 'Replace'].map(
      (type): [string, Check] => [type, any],
    ),
    ['BertNormalizer', any],
    ['Precompiled', any],
  ]),
  pre_tokenizer: new Map([
    ['ByteLevel', any],
    ['WhitespaceSplit', any],
    ['BertPreTokenizer', any],
    ['Metaspace', isOneWay],
    ['Whitespace', any],
    ['Digits', any],
    ['Punctuation', ({ behavior = 'Isolated' }) => isBehavior(behavior)],
    // Rust counts a text without letters in characters, and cuts by bytes.
    ['Split', ({ pattern, behavior }) => isBehavior(behavior) && fieldsOf(pattern)['String'] !== ''],
  ]),
  decoder: new Map([
    ['ByteLevel', any],
    ['Metaspace', isOneWay],
    ['WordPiece', any],
    ['ByteFallback', any],
    ['Fuse', any],
    // Rust fails at tokens that are shorter than what is to be stripped behind them.
    ['Strip', ({ stop }) => (stop ?? 0) === 0],
    ['Replace', inString],
  ]),
};

const INNER = ['normalizers', 'pretokenizers', 'decoders'] as const;

/** The steps of a part, those of sequences one by one. */
function stepsOf(part: unknown): Fields[] {
  if (part === null || part === undefined) return [];
  const step = fieldsOf(part);
  const inner = INNER.map((name) => step[name]).find(Array.isArray);
  return step['type'] === 'Sequence' && inner !== undefined ? inner.flatMap(stepsOf) : [step];
}

/** @returns what of it is not done here, or null */
export function unknownStep(file: Fields): string | null {
  for (const part of ['normalizer', 'pre_tokenizer', 'decoder'] as const) {
    const wrong = stepsOf(file[part]).find((step) => KNOWN[part].get(String(step['type']))?.(step) !== true);
    if (wrong !== undefined) return `"${part}" ${shown(wrong)} is not done here`;
  }
  return firstWord(file) ?? unknownModel(fieldsOf(file['model']));
}

/** Settings without the text of a charsmap. */
const shown = (step: Fields): string => JSON.stringify(step).slice(0, 200);

/** Which of the words is the first of a text, tokenizers goes by what was at its beginning before anything changed it. */
function firstWord({ normalizer, pre_tokenizer: cutter }: Fields): string | null {
  const steps = stepsOf(cutter);
  const goesByPlace = steps.some(({ type, prepend_scheme: scheme }) => type === 'Metaspace' && scheme === 'first');
  if (!goesByPlace || (steps.length === 1 && (normalizer === null || normalizer === undefined))) return null;
  return '"Metaspace" with "prepend_scheme": "first" beside other steps is not done here';
}

function unknownModel(model: Fields): string | null {
  const { type, vocab, unk_token: unknown, unk_id: unknownId } = model;
  const isThere = typeof unknown === 'string' && Object.hasOwn(fieldsOf(vocab), unknown);
  const wrong = ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix'].find((name) => Boolean(model[name]));
  switch (type) {
    case 'BPE':
      if (wrong !== undefined) return `"${wrong}": ${JSON.stringify(model[wrong])} of a BPE is not done here`;
      return isThere || unknown === null || unknown === undefined ? null : 'its vocabulary lacks "unk_token"';
    case 'WordPiece':
      return isThere ? null : 'its vocabulary lacks "unk_token"';
    case 'Unigram':
      return Array.isArray(vocab) && Number(unknownId ?? -1) in vocab ? null : 'its vocabulary lacks "unk_id"';
    default:
      return `a model of type ${JSON.stringify(type)} is not done here`;
  }
}
