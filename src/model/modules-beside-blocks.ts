import { isRetrieval, type ModelConfig } from './blip2-config.js';

/** Modules under which T5 registers its token table (`language_model.shared`) again. */
export const T5_TABLE_ALIASES: readonly string[] = [
  'language_model.encoder.embed_tokens',
  'language_model.decoder.embed_tokens',
];

/**
 * Modules that are in no block because they hold no weights of their own. Maps that transformers 5.24 makes
 * (`infer_auto_device_map`) have keys for them.
 */
export function modulesBesideBlocks(config: ModelConfig): readonly string[] {
  if (isRetrieval(config)) return ['qformer.dropout'];
  const qformer = config.qformer.text === null ? ['qformer.dropout'] : [];
  return [...qformer, ...LANGUAGE_MODULES[config.text.family]];
}

const LANGUAGE_MODULES: Readonly<Record<'opt' | 't5' | 'llama', readonly string[]>> = {
  opt: [],
  t5: [...T5_TABLE_ALIASES, 'language_model.encoder.dropout', 'language_model.decoder.dropout'],
  llama: ['language_model.model.rotary_emb'],
};
