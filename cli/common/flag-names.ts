/** Options of the library, as they stand in its messages -> the flags that set them. */
const FLAGS: ReadonlyMap<string, string> = new Map([
  ['batchSize', '--batch'],
  ['promptTokens', '--prompt-tokens'],
  ['newTokens', '--max-new-tokens'],
  ['maxNewTokens', '--max-new-tokens'],
  ['minNewTokens', '--min-new-tokens'],
  ['numBeams', '--beams'],
  ['numReturnSequences', '--num-captions'],
  ['lengthPenalty', '--length-penalty'],
  ['earlyStopping', '--early-stopping'],
  ['repetitionPenalty', '--repetition-penalty'],
  ['noRepeatNgramSize', '--no-repeat-ngram'],
  ['eosTokenIds', '--stop-id'],
  ['doSample: true', '--sample'],
  ['doSample', '--sample'],
  ['topK', '--top-k'],
  ['topP', '--top-p'],
  ['pictureSize', '--picture-size'],
  ['fetchTimeoutMs', '--fetch-timeout'],
  ['fetchLimitBytes', '--fetch-limit'],
]);

const OPTION = new RegExp(`\\b(?:${[...FLAGS.keys()].join('|')})\\b`, 'g');

/** A message of the library in the words of the command line. */
export function withFlagNames(message: string): string {
  return message.replaceAll(OPTION, (option) => FLAGS.get(option) ?? option);
}
