/** `text_config` of a checkpoint: the language model. */
import * as z from 'zod';
import { llamaSchema, type LlamaConfig } from './llama-config.js';
import { optSchema, type OptConfig } from './opt-config.js';
import { t5Schema, type T5Config } from './t5-config.js';

/** Language models that read the picture as the start of their own text. */
export type DecoderOnlyConfig = OptConfig | LlamaConfig;

export type TextConfig = DecoderOnlyConfig | T5Config;

/**
 * The most tokens of a prompt and its answer, the picture's included; null where positions are relative. Of an answer's last token no more
 * than the id is wanted: it takes no position.
 */
export function mostTokens(text: TextConfig): number | null {
  return text.family === 't5' ? null : text.maxPositions + 1;
}

const FAMILIES = new Map<string, () => z.ZodType<TextConfig>>([
  ['opt', optSchema],
  ['t5', t5Schema],
  ['llama', llamaSchema],
]);

/** Schemas take milliseconds to make, and a process meets one family. */
const made = new Map<string, z.ZodType<TextConfig>>();

function schemaOf(family: string): z.ZodType<TextConfig> | undefined {
  const schema = made.get(family) ?? FAMILIES.get(family)?.();
  if (schema !== undefined) made.set(family, schema);
  return schema;
}

/**
 * What transformers 5.24 obeys in the text_config of any language model, and no published BLIP-2 has: masks of its attention,
 * and those settings of `generate` that it does not take out of a configuration.
 */
const NOT_DONE = [
  'attention_chunk_size',
  'sliding_window',
  'assistant_early_exit',
  'constraints',
  'dola_layers',
  'force_words_ids',
  'guidance_scale',
  'is_assistant',
  'max_new_tokens',
  'max_time',
  'min_new_tokens',
  'min_p',
  'penalty_alpha',
  'prefill_chunk_size',
  'prompt_lookup_num_tokens',
  'renormalize_logits',
  'sequence_bias',
  'stop_strings',
  'token_healing',
  'top_h',
  'use_mtp',
  'watermarking_config',
] as const;

const OBEYED = 'it is obeyed by transformers, and not done here; take it out of config.json to go without';

export const textSchema = z.looseObject({ model_type: z.string().default('opt') }).transform((c, ctx): TextConfig => {
  const obeyed: string[] = NOT_DONE.filter((field) => (c[field] ?? false) !== false);
  // Others keep what they are given.
  if (c['cache_implementation'] === 'quantized') obeyed.push('cache_implementation');
  if (c['is_causal'] === false)
    ctx.addIssue({ code: 'custom', path: ['is_causal'], message: 'false is not done here' });
  const encodes = c['is_encoder_decoder'];
  if (typeof encodes === 'boolean' && encodes !== (c.model_type === 't5'))
    ctx.addIssue({ code: 'custom', path: ['is_encoder_decoder'], message: `${encodes}, which no ${c.model_type} is` });
  for (const field of obeyed) ctx.addIssue({ code: 'custom', path: [field], message: OBEYED });
  const schema = schemaOf(c.model_type);
  if (schema === undefined) {
    ctx.addIssue({
      code: 'custom',
      path: ['model_type'],
      message: `language model "${c.model_type}" is not ${[...FAMILIES.keys()].join(', ')}`,
    });
    return z.NEVER;
  }
  const parsed = schema.safeParse(c);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) ctx.addIssue({ code: 'custom', path: issue.path, message: issue.message });
  return z.NEVER;
});
