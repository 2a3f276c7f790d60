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

/** What `tokenizer_config.json` asks for and this package does not do, or null. */
export function notDone(config: Fields): string | null {
  const ofPictures = OF_PICTURES.find((name) => name in config);
  if (ofPictures !== undefined)
    return `"${ofPictures}" is obeyed by transformers as a setting of pictures, and has to stand in their own file here`;
  const asked = ASKED.find((name) => Boolean(config[name]));
  if (asked !== undefined) return `"${asked}" is not done here`;
  const { truncation_side: side } = config;
  if (side !== undefined && side !== 'left' && side !== 'right')
    return `"truncation_side" is ${JSON.stringify(side)}, not "left" or "right"`;
  const { padding, pad_to_multiple_of: multiple, model_max_length: limit, max_length: length } = config;
  const isPadded = padding === 'max_length' || (padding === true && typeof multiple === 'number');
  if (isPadded) return '"padding" fills prompts up, which is not done here';
  const cutsAtLimit = isCut(config) === true && typeof length !== 'number';
  return cutsAtLimit && Number(limit) < UNLIMITED ? '"truncation" needs "max_length" beside it here' : null;
}

/** What a processor asks of its tokenizer where the tokenizer's file has it. With pictures transformers fails at most of these. */
const ASKED = [
  'split_special_tokens',
  'add_special_tokens',
  'is_split_into_words',
  'return_overflowing_tokens',
  'sanitize_control_tokens',
  'text_pair',
  'text_target',
  'text_pair_target',
];

/** A processor gives all that its tokenizer was made with to whatever has a setting of that name. */
const OF_PICTURES = [
  'do_convert_rgb',
  'do_resize',
  'size',
  'default_to_square',
  'resample',
  'do_center_crop',
  'crop_size',
  'do_pad',
  'pad_size',
  'do_rescale',
  'rescale_factor',
  'do_normalize',
  'image_mean',
  'image_std',
];

/** From here on transformers takes `model_max_length` for none. */
const UNLIMITED = 1e20;

/** As `truncation` says it; undefined without a word, where a length alone is one, unless it is there for padding. */
function isCut({ truncation, padding }: Fields): boolean | undefined {
  if (truncation === undefined || truncation === null) return (padding ?? false) === false ? undefined : false;
  return truncation !== false && truncation !== 'do_not_truncate';
}
