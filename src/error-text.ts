/** Options of the library that errors speak of. Each interface has names of its own for them. */
export type OptionName =
  | 'allowQuant'
  | 'batchSize'
  | 'doSample'
  | 'dtype'
  | 'earlyStopping'
  | 'emulateGpu'
  | 'eosTokenIds'
  | 'fetchLimitBytes'
  | 'fetchTimeoutMs'
  | 'lengthPenalty'
  | 'maxNewTokens'
  | 'minNewTokens'
  | 'newTokens'
  | 'noRepeatNgramSize'
  | 'numBeams'
  | 'numReturnSequences'
  | 'pageLocked'
  | 'pictureSize'
  | 'pins'
  | 'promptTokens'
  | 'provider'
  | 'repetitionPenalty'
  | 'seed'
  | 'temperature'
  | 'threads'
  | 'timeLimitMs'
  | 'topK'
  | 'topP';

interface OptionPart {
  readonly option: OptionName;
}

/** What an error says: words, and options between them. */
export type ErrorText = string | readonly (string | OptionPart)[];

export const option = (name: OptionName): OptionPart => ({ option: name });

/** A template of words, numbers, options, and texts that have some. */
export function errorText(
  words: TemplateStringsArray,
  ...values: readonly (number | OptionPart | ErrorText)[]
): ErrorText {
  return words.flatMap((word, i) => {
    const value = values[i] ?? '';
    if (typeof value === 'number') return [word, String(value)];
    return [word, ...(typeof value === 'string' || 'option' in value ? [value] : value)];
  });
}

/** @param nameOf how options are called where the text is read */
export function textOf(text: ErrorText, nameOf: (option: OptionName) => string = (name) => name): string {
  if (typeof text === 'string') return text;
  return text.map((part) => (typeof part === 'string' ? part : nameOf(part.option))).join('');
}
