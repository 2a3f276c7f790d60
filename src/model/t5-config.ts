/** `text_config` of a T5, with every default of `T5Config` in transformers 5. */
import * as z from 'zod';
import {
  activation,
  epsilon,
  ids,
  int,
  isRow,
  layers,
  padding,
  paddingRow,
  positive,
  type LanguageFields,
} from './config-fields.js';

export interface T5Config extends LanguageFields {
  readonly family: 't5';
  readonly decoderLayers: number;
  readonly headSize: number;
  readonly relativeBuckets: number;
  readonly relativeMaxDistance: number;
  readonly gated: boolean;
  readonly layerNormEps: number;
  /** Multiply the decoder output by hiddenSize^-0.5 before the head. Off in Flan-T5. */
  readonly scaleLogits: boolean;
  readonly decoderStartTokenId: number;
}

export const t5Schema = () =>
  z
    .looseObject({
      d_model: positive.default(512),
      d_kv: positive.default(64),
      d_ff: positive.default(2048),
      num_layers: layers.default(6),
      num_decoder_layers: layers.nullish(),
      num_heads: positive.default(8),
      // Other names of the same, which transformers sets last.
      hidden_size: positive.optional(),
      head_dim: positive.optional(),
      num_hidden_layers: layers.optional(),
      num_attention_heads: positive.optional(),
      vocab_size: positive.default(32128),
      relative_attention_num_buckets: positive.min(4).default(32),
      relative_attention_max_distance: positive.default(128),
      feed_forward_proj: z.string().default('relu'),
      dense_act_fn: activation.optional(),
      is_gated_act: z.boolean().optional(),
      layer_norm_epsilon: epsilon.default(1e-6),
      tie_word_embeddings: z.boolean().nullish(),
      scale_decoder_outputs: z.boolean().nullish(),
      pad_token_id: padding,
      bos_token_id: int.nullish(),
      eos_token_id: ids.prefault(1),
      decoder_start_token_id: int.nullish(),
    })
    .superRefine((c, ctx) => {
      const start = c.decoder_start_token_id ?? paddingRow(c.pad_token_id);
      isRow('decoder_start_token_id', start, c.vocab_size, ctx);
      isRow('pad_token_id', paddingRow(c.pad_token_id), c.vocab_size, ctx);
      isRow('bos_token_id', c.bos_token_id ?? 1, c.vocab_size, ctx);
      for (const id of [c.eos_token_id].flat()) isRow('eos_token_id', id, c.vocab_size, ctx);
      if (c.relative_attention_max_distance > c.relative_attention_num_buckets / 2) return;
      ctx.addIssue({
        code: 'custom',
        path: ['relative_attention_max_distance'],
        message: `${c.relative_attention_max_distance} is not above half of the ${c.relative_attention_num_buckets} buckets`,
      });
    })
    .transform((c, ctx): T5Config => {
      // "gated-gelu" means the tanh form unless dense_act_fn says otherwise; BLIP-2's files say "gelu" there.
      const named = c.feed_forward_proj === 'gated-gelu' ? 'gelu_new' : (c.feed_forward_proj.split('-').at(-1) ?? '');
      const parsed = activation.safeParse(named);
      if (c.dense_act_fn === undefined && !parsed.success) {
        ctx.addIssue({
          code: 'custom',
          message: `feed_forward_proj "${c.feed_forward_proj}" names no known activation`,
        });
        return z.NEVER;
      }
      return {
        family: 't5',
        hiddenSize: c.hidden_size ?? c.d_model,
        layers: c.num_hidden_layers ?? c.num_layers,
        decoderLayers: c.num_decoder_layers ?? c.num_layers,
        heads: c.num_attention_heads ?? c.num_heads,
        headSize: c.head_dim ?? c.d_kv,
        ffnSize: c.d_ff,
        vocabSize: c.vocab_size,
        relativeBuckets: c.relative_attention_num_buckets,
        relativeMaxDistance: c.relative_attention_max_distance,
        gated: c.is_gated_act ?? c.feed_forward_proj.startsWith('gated'),
        activation: c.dense_act_fn ?? (parsed.success ? parsed.data : 'relu'),
        layerNormEps: c.layer_norm_epsilon,
        scaleLogits:
          (c.scale_decoder_outputs === undefined ? c.tie_word_embeddings !== false : c.scale_decoder_outputs) ?? false,
        bosTokenId: c.bos_token_id ?? 1,
        padTokenId: paddingRow(c.pad_token_id),
        eosTokenIds: c.eos_token_id,
        // transformers falls back to bos here, which is wrong for T5: the decoder starts from padding.
        decoderStartTokenId: c.decoder_start_token_id ?? paddingRow(c.pad_token_id),
      };
    });
