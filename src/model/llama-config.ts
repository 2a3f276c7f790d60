/** `text_config` of a LLaMA, with every default of `LlamaConfig` in transformers 5. */
import * as z from 'zod';
import {
  activation,
  divides,
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

/** Vicuna, which InstructBLIP speaks with, is a LLaMA. */
export interface LlamaConfig extends LanguageFields {
  readonly family: 'llama';
  readonly headSize: number;
  readonly maxPositions: number;
  /** Base of the rotary frequencies. */
  readonly ropeTheta: number;
  /** Whether the head is the token table. */
  readonly tied: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly rmsNormEps: number;
}

const UNSCALED = 'only rotary positions without scaling are known';
const ropeSchema = () =>
  z.looseObject({
    rope_theta: z.number().positive().optional(),
    rope_type: z.literal('default', UNSCALED).optional(),
    type: z.literal('default', UNSCALED).optional(),
  });

type Rope = z.infer<ReturnType<typeof ropeSchema>> | null | undefined;

/** In transformers the older field takes the place of the newer one, unless there is nothing in it. */
function ropeOf({
  rope_scaling: older,
  rope_parameters: newer,
}: {
  rope_scaling?: Rope;
  rope_parameters?: Rope;
}): Rope {
  return Object.keys(older ?? {}).length > 0 ? older : newer;
}

export const llamaSchema = () =>
  z
    .looseObject({
      hidden_size: positive.default(4096),
      intermediate_size: positive.default(11_008),
      num_hidden_layers: layers.default(32),
      num_attention_heads: positive.default(32),
      num_key_value_heads: positive.nullish(),
      head_dim: positive.nullish(),
      vocab_size: positive.default(32_000),
      max_position_embeddings: positive.default(2048),
      rms_norm_eps: epsilon.default(1e-6),
      rope_theta: z.number().positive().optional(),
      rope_parameters: ropeSchema().nullish(),
      rope_scaling: ropeSchema().nullish(),
      tie_word_embeddings: z.boolean().default(false),
      attention_bias: z.boolean().default(false),
      mlp_bias: z.boolean().default(false),
      hidden_act: activation.prefault('silu'),
      bos_token_id: int.default(1),
      pad_token_id: padding,
      eos_token_id: ids.prefault(2),
    })
    .superRefine((c, ctx) => {
      isRow('bos_token_id', c.bos_token_id, c.vocab_size, ctx);
      isRow('pad_token_id', paddingRow(c.pad_token_id), c.vocab_size, ctx);
      for (const id of [c.eos_token_id].flat()) isRow('eos_token_id', id, c.vocab_size, ctx);
      if (typeof c.head_dim === 'number') return;
      divides('hidden_size', c.hidden_size, 'num_attention_heads', c.num_attention_heads, ctx);
    })
    .refine((c) => (c.num_key_value_heads ?? c.num_attention_heads) === c.num_attention_heads, {
      path: ['num_key_value_heads'],
      message: 'heads that share keys and values are not known here',
    })
    .transform((c): LlamaConfig => ({
      family: 'llama',
      hiddenSize: c.hidden_size,
      layers: c.num_hidden_layers,
      heads: c.num_attention_heads,
      headSize: c.head_dim ?? c.hidden_size / c.num_attention_heads,
      ffnSize: c.intermediate_size,
      vocabSize: c.vocab_size,
      maxPositions: c.max_position_embeddings,
      ropeTheta: ropeOf(c)?.rope_theta ?? c.rope_theta ?? 10_000,
      tied: c.tie_word_embeddings,
      attentionBias: c.attention_bias,
      mlpBias: c.mlp_bias,
      activation: c.hidden_act,
      rmsNormEps: c.rms_norm_eps,
      bosTokenId: c.bos_token_id,
      padTokenId: paddingRow(c.pad_token_id),
      eosTokenIds: c.eos_token_id,
    }));
