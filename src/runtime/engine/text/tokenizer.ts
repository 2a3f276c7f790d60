/**
 * A checkpoint's tokenizer: `tokenizer.json` with `tokenizer_config.json`, run by @huggingface/tokenizers.
 */
import { Tokenizer } from '@huggingface/tokenizers';
import { Blip2Error } from '../../../errors.js';
import { composeTokenizer } from './compose-tokenizer.js';
import { mendSteps } from './mend-steps.js';
import { idsInFront, isCutLeft, mostIds, notDone } from './text-rules.js';

export interface TextTokenizer {
  /** Ids with whatever the tokenizer adds itself: BOS in front for OPT, `</s>` behind for T5. */
  encode(text: string): number[];
  /** Text of ids, special tokens left out; ids that the vocabulary lacks are skipped. */
  decode(ids: readonly number[]): string;
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
 * @throws Blip2Error `TOKENIZER_INVALID`
 */
export function createTokenizer(
  tokenizerJson: unknown,
  tokenizerConfig: unknown,
  added: readonly string[] = [],
): FileTokenizer {
  const { tokenizer, composed, config } = parse(tokenizerJson, tokenizerConfig, added);
  // transformers 5 joins " ." and " n't" only where the file asks for it, and never for BPE, which it would corrupt.
  const cleanUp = config['clean_up_tokenization_spaces'] === true && modelType(tokenizerJson) !== 'BPE';
  const decode = (ids: readonly number[]): string => {
    const known = ids.filter((id) => tokenizer.id_to_token(id) !== undefined);
    if (known.length === 0) return '';
    return tokenizer.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: cleanUp });
  };
  const encode = (text: string, most: number | null): number[] => {
    const { ids } = tokenizer.encode(text);
    const excess = ids.length - (most ?? Infinity);
    if (excess <= 0) return ids;
    const words = tokenizer.encode(text, { add_special_tokens: false }).ids.length;
    // As tokenizers has it: where special tokens alone are too many, nothing is cut.
    if (excess > words) return ids;
    const front = idsInFront(composed);
    return ids.toSpliced(isCutLeft(composed, config) ? front : front + words - excess, excess);
  };
  return {
    mostIds: mostIds(composed, config),
    encode: (text) => encode(text, null),
    decode,
    within: (most) => ({ encode: (text) => encode(text, most), decode }),
  };
}

function parse(tokenizerJson: unknown, config: unknown, added: readonly string[]) {
  try {
    if (!isRecord(tokenizerJson)) throw new Error('it is not an object');
    if (!isRecord(config)) throw new Error('tokenizer_config.json is not an object');
    checkVocabulary(tokenizerJson);
    const refused = notDone(config);
    if (refused !== null) throw new Error(`of tokenizer_config.json, ${refused}`);
    const composed = composeTokenizer(tokenizerJson, config, added);
    const tokenizer = new Tokenizer(composed, {});
    mendSteps(tokenizer, composed);
    return { tokenizer, composed, config };
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

function modelType(tokenizerJson: unknown): unknown {
  const model = isRecord(tokenizerJson) ? tokenizerJson['model'] : undefined;
  return isRecord(model) ? model['type'] : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
