/** `text_config` of an OPT, with every default of `OPTConfig` in transformers 5. */
import * as z from 'zod';
import {
  activation,
  divides,
  ids,
  int,
  isRow,
  layers,
  padding,
  paddingRow,
  positive,
  type LanguageFields,
} from './config-fields.js';

export interface OptConfig extends LanguageFields {
  readonly family: 'opt';
  /** Width of the token table; `project_in` and `project_out` exist when it differs from `hiddenSize`. */
  readonly embedSize: number;
  /** Rows of the position table are this plus 2: OPT offsets positions by 2. */
  readonly maxPositions: number;
  readonly preNorm: boolean;
  readonly finalLayerNorm: boolean;
  readonly bias: boolean;
  readonly layerNormAffine: boolean;
  /** Whether the head is the token table. */
  readonly tied: boolean;
}

export const optSchema = () =>
  z
    .looseObject({
      hidden_size: positive.default(768),
      num_hidden_layers: layers.default(12),
      num_attention_heads: positive.default(12),
      ffn_dim: positive.default(3072),
      vocab_size: positive.default(50272),
      word_embed_proj_dim: positive.nullish(),
      max_position_embeddings: positive.default(2048),
      do_layer_norm_before: z.boolean().default(true),
      _remove_final_layer_norm: z.boolean().default(false),
      enable_bias: z.boolean().default(true),
      layer_norm_elementwise_affine: z.boolean().default(true),
      activation_function: activation.prefault('relu'),
      tie_word_embeddings: z.boolean().default(true),
      bos_token_id: int.default(2),
      pad_token_id: padding.default(1),
      eos_token_id: ids.prefault(2),
    })
    .superRefine((c, ctx) => {
      divides('hidden_size', c.hidden_size, 'num_attention_heads', c.num_attention_heads, ctx);
      isRow('bos_token_id', c.bos_token_id, c.vocab_size, ctx);
      isRow('pad_token_id', paddingRow(c.pad_token_id), c.vocab_size, ctx);
      for (const id of [c.eos_token_id].flat()) isRow('eos_token_id', id, c.vocab_size, ctx);
      const embedSize = c.word_embed_proj_dim ?? c.hidden_size;
      if (embedSize <= c.hidden_size) return;
      // A picture's rows have `hidden_size` numbers, and take the places of rows of the token table.
      ctx.addIssue({
        code: 'custom',
        path: ['word_embed_proj_dim'],
        message: `${embedSize} is above hidden_size ${c.hidden_size}, and a picture's rows do not fill such tokens`,
      });
    })
    .transform((c): OptConfig => ({
      family: 'opt',
      hiddenSize: c.hidden_size,
      layers: c.num_hidden_layers,
      heads: c.num_attention_heads,
      ffnSize: c.ffn_dim,
      vocabSize: c.vocab_size,
      embedSize: c.word_embed_proj_dim ?? c.hidden_size,
      maxPositions: c.max_position_embeddings,
      preNorm: c.do_layer_norm_before,
      finalLayerNorm: c.do_layer_norm_before && !c._remove_final_layer_norm,
      bias: c.enable_bias,
      layerNormAffine: c.layer_norm_elementwise_affine,
      activation: c.activation_function,
      tied: c.tie_word_embeddings,
      bosTokenId: c.bos_token_id,
      padTokenId: paddingRow(c.pad_token_id),
      eosTokenIds: c.eos_token_id,
    }));
