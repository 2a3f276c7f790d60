/**
 * A checkpoint's tokenizer: `tokenizer.json` with `tokenizer_config.json`, run by @huggingface/tokenizers.
 */
import { Tokenizer } from '@huggingface/tokenizers';
import { Blip2Error } from '../../../errors.js';
import { fieldsOf, type Fields } from './class-rules.js';
import { composeTokenizer } from './compose-tokenizer.js';
import { unknownStep } from './known-steps.js';
import { mendSteps } from './mend-steps.js';
import { withOlderFiles, type OlderFiles } from './older-files.js';
import { textFrame } from './text-frame.js';
import { isCutLeft, mostIds, notDone } from './text-rules.js';
import { TokenSearch } from './token-search.js';
import { mendScores, wordIds, type TokenModel } from './word-ids.js';

export interface TextTokenizer {
  /** Ids with whatever the tokenizer adds itself: BOS in front for OPT, `</s>` behind for T5. */
  encode(text: string): number[];
  /** Text of ids, special tokens left out; ids that the vocabulary lacks are skipped. */
  decode(ids: readonly number[]): string;
  /** What a text ends in that more ids may join to what is before it; without it none does. */
  readonly unsettled?: RegExp;
}

/** The tokenizer of two files, which cuts no text. */
export interface FileTokenizer extends TextTokenizer {
  /** Ids that a text and the picture's places may be by the files, or null. */
  readonly mostIds: number | null;
  /** One that cuts texts: special tokens stay. */
  within(most: number | null): TextTokenizer;
}

/**
 * @param tokenizerJson parsed `tokenizer.json`
 * @param tokenizerConfig parsed `tokenizer_config.json`
 * @param added special tokens that whoever uses the tokenizer adds to it
 * @param older files that transformers reads beside an older `tokenizer_config.json`
 * @throws Blip2Error `TOKENIZER_INVALID`
 */
export function createTokenizer(
  tokenizerJson: unknown,
  tokenizerConfig: unknown,
  added: readonly string[] = [],
  older: OlderFiles = {},
): FileTokenizer {
  const { steps, tokens, frame, composed, config } = parse(tokenizerJson, tokenizerConfig, added, older);
  // transformers 5 joins " ." and " n't" only where the file asks for it, and never for BPE, which it would corrupt.
  const cleanUp = config['clean_up_tokenization_spaces'] === true && fieldsOf(composed['model'])['type'] !== 'BPE';
  const decode = (ids: readonly number[]): string => {
    const kept: string[] = [];
    for (const id of ids) {
      const name = tokens.nameOf(id) ?? steps.model.vocab[id];
      if (name !== undefined && !tokens.isSpecial(name)) kept.push(name);
    }
    const text = steps.decoder?.decode_chain(kept).join('') ?? kept.join(' ');
    return cleanUp ? withoutSpaces(text) : text;
  };
  const textIds = (text: string, isFirst: boolean): number[] => {
    const words = steps.pre_tokenizer?.pre_tokenize(text, { section_index: isFirst ? 0 : 1 }) ?? [text];
    // Each by itself: what is unknown in one is no part of what is unknown in the next.
    return words.flatMap((word) => wordIds(word, steps.model));
  };
  const encode = (text: string, most: number | null): number[] => {
    const words = tokens
      .pieces(text)
      .flatMap((piece) => (piece.id === null ? textIds(piece.text, piece.isFirst) : piece.id));
    const around = frame.before.length + frame.after.length;
    const excess = around + words.length - (most ?? Infinity);
    // As tokenizers has it: where special tokens alone are too many, nothing is cut.
    if (excess > 0 && excess <= words.length)
      words.splice(isCutLeft(composed, config) ? 0 : words.length - excess, excess);
    return [...frame.before, ...words, ...frame.after];
  };
  const within = (most: number | null): TextTokenizer => ({
    encode: (text) => encode(text, most),
    decode,
    ...(cleanUp && { unsettled: UNSETTLED }),
  });
  return { ...within(null), mostIds: mostIds(composed, config), within };
}

/** What is used of a `Tokenizer`: the package's own types do not resolve. */
interface Steps {
  readonly normalizer: { normalize(text: string): string } | null;
  readonly pre_tokenizer: { pre_tokenize(text: string, options: object): readonly string[] } | null;
  readonly model: TokenModel;
  readonly decoder: { decode_chain(tokens: readonly string[]): readonly string[] } | null;
}

function parse(tokenizerJson: unknown, tokenizerConfig: unknown, added: readonly string[], older: OlderFiles) {
  try {
    if (!isRecord(tokenizerJson)) throw new Error('it is not an object');
    if (!isRecord(tokenizerConfig)) throw new Error('tokenizer_config.json is not an object');
    checkVocabulary(tokenizerJson);
    const config = withOlderFiles(tokenizerJson, tokenizerConfig, older);
    const refused = notDone(config);
    if (refused !== null) throw new Error(`of tokenizer_config.json, ${refused}`);
    const composed = composeTokenizer(tokenizerJson, config, added);
    const unknown = unknownStep(composed);
    if (unknown !== null) throw new Error(unknown);
    const stated = listOf(composed['added_tokens']);
    const tokenizer = new Tokenizer({ ...composed, added_tokens: [], post_processor: null }, {});
    mendSteps(tokenizer, composed);
    const steps = tokenizer as unknown as Steps;
    mendScores(steps.model);
    const tokens = new TokenSearch(stated, (text) => steps.normalizer?.normalize(text) ?? text);
    const ids = new Map(stated.map(({ content, id }) => [content, Number(id)]));
    const frame = textFrame(
      composed['post_processor'],
      (content) => ids.get(content) ?? steps.model.tokens_to_ids.get(content),
    );
    return { steps, tokens, frame, composed, config };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Blip2Error('TOKENIZER_INVALID', `tokenizer.json cannot be used: ${reason}`, {
      hint: 'Take tokenizer.json and tokenizer_config.json from the repository that the checkpoint comes from.',
      cause,
    });
  }
}

/** @throws Error for a vocabulary without tokens, or ids that are no rows of a table */
function checkVocabulary({ model, added_tokens: added }: Record<string, unknown>): void {
  const vocabulary = isRecord(model) ? model['vocab'] : undefined;
  // Unigram lists its tokens with their scores; their ids are their places.
  let count = Array.isArray(vocabulary) ? vocabulary.length : 0;
  if (isRecord(vocabulary)) {
    for (const token of Object.keys(vocabulary)) {
      checkId(vocabulary[token]);
      count++;
    }
  }
  if (count === 0) throw new Error('its vocabulary has 0 tokens');
  for (const token of Array.isArray(added) ? added : []) checkId(isRecord(token) ? token['id'] : undefined);
}

function checkId(id: unknown): void {
  if (typeof id === 'number' && Number.isSafeInteger(id) && id >= 0) return;
  throw new Error(`the id of a token is ${JSON.stringify(id)}, not a whole number from 0 up`);
}

const listOf = (tokens: unknown): Fields[] => (Array.isArray(tokens) ? tokens.map(fieldsOf) : []);

/** What loses the space before it, one after the other, as transformers has it. */
const JOINED = [' .', ' ?', ' !', ' ,', " ' ", " n't", " 'm", " 's", " 've", " 're"];

/** Beginnings of these, but for the space alone, which no answer ends in. */
const UNSETTLED = / (?:n'?|'[vr]?)$/;

const withoutSpaces = (text: string): string => JOINED.reduce((all, part) => all.replaceAll(part, part.trim()), text);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
