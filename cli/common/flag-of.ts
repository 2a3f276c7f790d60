import type { OptionName } from '../../src/error-text.js';

/** Options of the library -> the flags that set them. */
const FLAGS: Readonly<Record<OptionName, string>> = {
  batchSize: '--batch',
  doSample: '--sample',
  eosTokenIds: '--stop-id',
  fetchLimitBytes: '--fetch-limit',
  fetchTimeoutMs: '--fetch-timeout',
  lengthPenalty: '--length-penalty',
  maxNewTokens: '--max-new-tokens',
  minNewTokens: '--min-new-tokens',
  newTokens: '--max-new-tokens',
  noRepeatNgramSize: '--no-repeat-ngram',
  numBeams: '--beams',
  numReturnSequences: '--num-captions',
  pictureSize: '--picture-size',
  promptTokens: '--prompt-tokens',
  repetitionPenalty: '--repetition-penalty',
  seed: '--seed',
  temperature: '--temperature',
  threads: '--threads',
  topK: '--top-k',
  topP: '--top-p',
};

export const flagOf = (option: OptionName): string => FLAGS[option];
