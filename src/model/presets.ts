/**
 * The published BLIP-2 generation checkpoints, as far as planning needs them: what is not default in their `config.json`.
 * Source: the files on the Hub (opt-2.7b, flan-t5-xl) and transformers' conversion script (the others).
 */
const opt27b = {
  model_type: 'opt',
  hidden_size: 2560,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  ffn_dim: 10240,
  word_embed_proj_dim: 2560,
  vocab_size: 50304,
  eos_token_id: 50118,
};
const opt67b = { ...opt27b, hidden_size: 4096, ffn_dim: 16384, word_embed_proj_dim: 4096 };
const flanT5Xl = {
  model_type: 't5',
  d_model: 2048,
  d_kv: 64,
  d_ff: 5120,
  num_layers: 24,
  num_heads: 32,
  vocab_size: 32128,
  feed_forward_proj: 'gated-gelu',
  dense_act_fn: 'gelu',
  tie_word_embeddings: false,
  bos_token_id: 1,
  decoder_start_token_id: 0,
};
const flanT5Xxl = { ...flanT5Xl, d_model: 4096, d_ff: 10240, num_heads: 64 };

// Every -coco checkpoint was fine-tuned at 364 x 364 pixels.
const coco = { image_size: 364 };

function preset(text: object, imageTokenIndex: number, vision: object = {}): object {
  return {
    model_type: 'blip-2',
    image_token_index: imageTokenIndex,
    vision_config: vision,
    text_config: text,
  };
}

/** A published model, without its weights. */
export interface Preset {
  /** A `config.json` document, as `parseBlip2Config` reads it. */
  readonly config: object;
  /** Whether the published file holds a language-model head of its own. */
  readonly ownHead: boolean;
}

/** Published models by their name on the hub, so that they can be planned with nothing at hand. Source: their `config.json`. */
export const PRESETS: ReadonlyMap<string, Preset> = new Map([
  ['Salesforce/blip2-opt-2.7b', { config: preset(opt27b, 50265), ownHead: false }],
  ['Salesforce/blip2-opt-2.7b-coco', { config: preset(opt27b, 50265, coco), ownHead: false }],
  ['Salesforce/blip2-opt-6.7b', { config: preset(opt67b, 50265), ownHead: false }],
  ['Salesforce/blip2-opt-6.7b-coco', { config: preset(opt67b, 50265, coco), ownHead: false }],
  ['Salesforce/blip2-flan-t5-xl', { config: preset(flanT5Xl, 32100), ownHead: true }],
  ['Salesforce/blip2-flan-t5-xl-coco', { config: preset(flanT5Xl, 32100, coco), ownHead: true }],
  ['Salesforce/blip2-flan-t5-xxl', { config: preset(flanT5Xxl, 32100), ownHead: true }],
]);

/** What is planned where no checkpoint is named. */
export const DEFAULT_PRESET = 'Salesforce/blip2-opt-2.7b';

/** Without their owner. */
export const SHORT_NAMES: readonly string[] = [...PRESETS.keys()].map((id) => id.slice(id.indexOf('/') + 1));

/** The whole name of a published model: `blip2-opt-2.7b` is enough, and case does not matter. */
export function findPreset(name: string): string | undefined {
  const wanted = name.toLowerCase();
  return [...PRESETS.keys()].find((id) => [id, id.split('/')[1]].some((known) => known?.toLowerCase() === wanted));
}
