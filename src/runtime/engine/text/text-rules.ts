/** What a checkpoint's files say of every text that its tokenizer gets, as transformers 5.24 takes it. */
import { fieldsOf, type Fields } from './class-rules.js';

/**
 * Ids that a text becomes at most, special tokens and the picture's places among them; null for any number. The length that texts were
 * cut or padded to when the tokenizer was saved, which training leaves in the files, cuts them ever after (`findings/transformers-processor-cuts-prompts.sh`).
 * @param file parsed `tokenizer.json`
 * @param config parsed `tokenizer_config.json`, which wins
 */
export function mostIds({ truncation, padding }: Fields, config: Fields): number | null {
  const fixed = fieldsOf(truncation)['max_length'] ?? fieldsOf(fieldsOf(padding)['strategy'])['Fixed'];
  const stated = 'max_length' in config ? config['max_length'] : fixed;
  return typeof stated === 'number' && isCut(config) !== false ? stated : null;
}

/** Whether texts lose their beginning where they are too long, not their end. */
export function isCutLeft({ truncation }: Fields, { truncation_side: side }: Fields): boolean {
  return side === undefined ? fieldsOf(truncation)['direction'] === 'Left' : side === 'left';
}

/** Ids that are put in front of a text. */
export function idsInFront({ post_processor: frame }: Fields): number {
  const { type, single, processors } = fieldsOf(frame);
  if (Array.isArray(processors)) return Math.max(0, ...processors.map((each) => idsInFront({ post_processor: each })));
  if (type === 'BertProcessing' || type === 'RobertaProcessing') return 1;
  return Array.isArray(single)
    ? Math.max(
        0,
        single.findIndex((piece) => 'Sequence' in fieldsOf(piece)),
      )
    : 0;
}

/** What `tokenizer_config.json` asks for and this package does not do, or null. */
export function notDone(config: Fields): string | null {
  const { padding, pad_to_multiple_of: multiple, model_max_length: limit, max_length: length } = config;
  const isPadded = padding === 'max_length' || (padding === true && typeof multiple === 'number');
  if (isPadded) return '"padding" fills prompts up, which is not done here';
  if (config['split_special_tokens'] === true) return '"split_special_tokens" is not done here';
  const cutsAtLimit = isCut(config) === true && typeof length !== 'number';
  return cutsAtLimit && Number(limit) < UNLIMITED ? '"truncation" needs "max_length" beside it here' : null;
}

/** From here on transformers takes `model_max_length` for none. */
const UNLIMITED = 1e20;

/** As `truncation` says it; undefined without a word. */
function isCut({ truncation }: Fields): boolean | undefined {
  return truncation === undefined || truncation === null
    ? undefined
    : truncation !== false && truncation !== 'do_not_truncate';
}
