import { Blip2Error } from '../../../errors.js';
import type { QFormerTextConfig } from '../../../model/blip2-config.js';
import type { WordBatch } from '../../session/model/word-wires.js';
import type { TextTokenizer } from './tokenizer.js';

/**
 * Texts as the Q-Former reads them: BERT's ids, padded on the right.
 * @throws Blip2Error `PROMPT_TOO_LONG` for more tokens than there are positions, `PROMPT_INVALID` for ids without a row
 */
export function wordBatch(
  texts: readonly string[],
  tokenizer: TextTokenizer,
  { maxPositions, vocabSize }: QFormerTextConfig,
): WordBatch {
  const rows = texts.map((text) => {
    const ids = tokenizer.encode(text);
    const quoted = JSON.stringify(text);
    if (ids.length > maxPositions) {
      throw new Blip2Error(
        'PROMPT_TOO_LONG',
        `${quoted} has ${ids.length} tokens for the Q-Former, which reads ${maxPositions}`,
        { hint: 'Shorten the text.', details: { tokens: ids.length, limit: maxPositions } },
      );
    }
    const wrong = ids.find((id) => id >= vocabSize);
    if (wrong !== undefined) {
      throw new Blip2Error(
        'PROMPT_INVALID',
        `${quoted} has id ${wrong}, and the Q-Former's vocabulary ends at ${vocabSize - 1}`,
        { hint: 'Use the tokenizer of this checkpoint.' },
      );
    }
    return ids;
  });
  const width = Math.max(0, ...rows.map((ids) => ids.length));
  const pad = (ids: readonly number[]) => [...ids, ...Array<number>(width - ids.length).fill(0)];
  return { ids: rows.map(pad), mask: rows.map((ids) => pad(ids.map(() => 1))) };
}
