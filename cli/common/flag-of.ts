import type { OptionName } from '../../src/error-text.js';

/** Options of the library -> the flags that set them. */
const FLAGS: Readonly<Record<OptionName, string>> = {
  allowQuant: '--allow-quant',
  batchSize: '--batch',
  doSample: '--sample',
  dtype: '--dtype',
  earlyStopping: '--early-stopping',
  emulateGpu: '--emulate-gpu',
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
  pageLocked: '--page-lock',
  pictureSize: '--picture-size',
  pins: '--pin',
  promptTokens: '--prompt-tokens',
  provider: '--provider',
  repetitionPenalty: '--repetition-penalty',
  seed: '--seed',
  temperature: '--temperature',
  threads: '--threads',
  timeLimitMs: '--time-limit',
  topK: '--top-k',
  topP: '--top-p',
};

export const flagOf = (option: OptionName): string => FLAGS[option];
