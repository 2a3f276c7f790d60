/**
 * The classes of transformers 5.24 that make a tokenizer by rules of their own: of `tokenizer.json` they take vocabulary, merges
 * and what goes around a text. Those of BLIP-2's and InstructBLIP's language models, and BERT, which the Q-Former reads by.
 */

import { FOREIGN_CLASSES } from './foreign-classes.js';

/** A document or a part of one. */
export type Fields = Readonly<Record<string, unknown>>;

export interface ClassRules {
  /** Whether `tokenizer.json` is of the class' kind. */
  fits(file: Fields): boolean;
  /**
   * @param file parsed `tokenizer.json`
   * @param config parsed `tokenizer_config.json`
   * @returns the parts of a `tokenizer.json` that the class puts in place of the file's
   */
  parts(file: Fields, config: Fields): Fields;
  /** Special tokens where `tokenizer_config.json` names none. */
  readonly names: Fields;
  /** Special tokens without a name where `tokenizer_config.json` says nothing of such. */
  extra?(config: Fields): readonly string[];
}

/**
 * @param config parsed `tokenizer_config.json`; without a class it is that of OPT, which transformers knows BLIP-2 by
 * @returns null where the file counts as it is
 * @throws Error for a class of transformers that is not done here, or is not of the file's kind: what it makes of that is nonsense
 */
export function rulesOf(file: Fields, { tokenizer_class: stated }: Fields): ClassRules | null {
  if (stated !== undefined && stated !== null && typeof stated !== 'string')
    throw new Error(`"tokenizer_class" of tokenizer_config.json is ${JSON.stringify(stated)}, which is no name`);
  const name = (stated ?? 'GPT2Tokenizer').replace(/Fast$/, '');
  const rules = RULES.get(name);
  if (rules?.fits(file) === true) return rules;
  // transformers sees that such files are not what LLaMA's class makes.
  const isAsItIs = stated === undefined || stated === null || (rules === llama && isOfBytes(file));
  if (isAsItIs || (rules === undefined && !FOREIGN_CLASSES.has(name))) return null;
  const why =
    rules === undefined
      ? 'has rules of its own that are not done here; "TokenizersBackend" would take tokenizer.json as it is'
      : `is not for a tokenizer.json of ${kindOf(file)}`;
  throw new Error(`"tokenizer_class": "${stated}" of tokenizer_config.json ${why}`);
}

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

const typeOf = (part: unknown): unknown => fieldsOf(part)['type'];
const ofModel =
  (type: string) =>
  ({ model }: Fields): boolean =>
    typeOf(model) === type;
const isBpe = ofModel('BPE');

/** Whether the tokens of a text are its bytes, each written as a letter: where the file names that step, as transformers looks. */
const isOfBytes = ({ normalizer, pre_tokenizer: cut, post_processor: frame, decoder }: Fields): boolean =>
  JSON.stringify([normalizer, cut, frame, decoder]).includes('"ByteLevel"');

const kindOf = (file: Fields): string => `${String(typeOf(file['model']))}${isOfBytes(file) ? ' over bytes' : ''}`;

/** All that a class keeps of a model. */
function wordsOf(model: unknown): Fields {
  const { type, vocab, merges } = fieldsOf(model);
  return { type, vocab, merges };
}

const BYTES = { type: 'ByteLevel', trim_offsets: true, use_regex: true };
const MARKS = { type: 'Metaspace', replacement: '▁' };

const gpt2: ClassRules = {
  fits: (file) => isBpe(file) && isOfBytes(file),
  parts: ({ model }, { add_prefix_space: prefix }) => ({
    model: { ...wordsOf(model), unk_token: null, fuse_unk: false, byte_fallback: false },
    normalizer: null,
    pre_tokenizer: { ...BYTES, add_prefix_space: prefix === true },
    decoder: { ...BYTES, add_prefix_space: true },
  }),
  names: { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>', unk_token: '<|endoftext|>', pad_token: null },
};

const llama: ClassRules = {
  fits: (file) => isBpe(file) && !isOfBytes(file),
  parts: ({ model }, { add_prefix_space: prefix, legacy }) => {
    const isPrefixed = prefix !== false;
    const scheme = legacy === true ? 'always' : 'first';
    const spaces = { type: 'Replace', pattern: { String: '▁' }, content: ' ' };
    const start = isPrefixed ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : [];
    return {
      model: { ...wordsOf(model), unk_token: null, fuse_unk: true, byte_fallback: true },
      normalizer: null,
      pre_tokenizer: { ...MARKS, prepend_scheme: isPrefixed ? scheme : 'never', split: false },
      decoder: { type: 'Sequence', decoders: [spaces, { type: 'ByteFallback' }, { type: 'Fuse' }, ...start] },
    };
  },
  names: { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' },
};

const t5: ClassRules = {
  fits: ofModel('Unigram'),
  parts: ({ model, normalizer }, { eos_token: end }) => {
    const marks = { ...MARKS, prepend_scheme: 'always', split: true };
    return {
      model: { ...wordsOf(model), unk_id: 2, byte_fallback: false },
      normalizer: charsmapIn(normalizer),
      pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, marks] },
      decoder: marks,
      post_processor: template(null, contentOf(end) ?? '</s>'),
    };
  },
  names: { eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' },
  extra: ({ extra_ids: count }) => Array.from({ length: Number(count ?? 100) }, (_, i) => `<extra_id_${i}>`),
};

/** The only step of a normaliser that T5's class keeps. */
function charsmapIn(normalizer: unknown): unknown {
  const steps = fieldsOf(normalizer)['normalizers'];
  return (Array.isArray(steps) ? steps : [normalizer]).find((step) => typeOf(step) === 'Precompiled') ?? null;
}

const bert: ClassRules = {
  fits: ofModel('WordPiece'),
  parts: ({ model }, config) => ({
    model: {
      ...wordsOf(model),
      unk_token: contentOf(config['unk_token']) ?? '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
    },
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: config['tokenize_chinese_chars'] !== false,
      strip_accents: config['strip_accents'] ?? null,
      lowercase: config['do_lower_case'] !== false,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    post_processor: template(contentOf(config['cls_token']) ?? '[CLS]', contentOf(config['sep_token']) ?? '[SEP]'),
  }),
  names: { unk_token: '[UNK]', sep_token: '[SEP]', pad_token: '[PAD]', cls_token: '[CLS]', mask_token: '[MASK]' },
};

/** The content of a token that is written alone or with its properties. */
export function contentOf(token: unknown): string | null {
  const content = typeof token === 'string' ? token : fieldsOf(token)['content'];
  return typeof content === 'string' ? content : null;
}

/** A text between two tokens. */
function template(before: string | null, after: string): Fields {
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const text = { Sequence: { id: 'A', type_id: 0 } };
  const single = [...(before === null ? [] : [special(before)]), text, special(after)];
  return { type: 'TemplateProcessing', single, pair: single, special_tokens: {} };
}

const RULES: ReadonlyMap<string, ClassRules> = new Map([
  ['GPT2Tokenizer', gpt2],
  ['LlamaTokenizer', llama],
  ['T5Tokenizer', t5],
  ['BertTokenizer', bert],
]);
