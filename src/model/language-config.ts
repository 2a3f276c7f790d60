/**
 * `text_config` of a checkpoint: the language model, with every default of `OPTConfig`, `T5Config` or `LlamaConfig` in
 * transformers 5.
 */
import * as z from 'zod';
import { activation, divides, epsilon, int, isRow, layers, positive, type Activation } from './config-fields.js';

export interface OptConfig {
  readonly family: 'opt';
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly ffnSize: number;
  readonly vocabSize: number;
  /** Width of the token table; `project_in` and `project_out` exist when it differs from `hiddenSize`. */
  readonly embedSize: number;
  /** Rows of the position table are this plus 2: OPT offsets positions by 2. */
  readonly maxPositions: number;
  readonly preNorm: boolean;
  readonly finalLayerNorm: boolean;
  readonly bias: boolean;
  readonly layerNormAffine: boolean;
  readonly activation: Activation;
  readonly bosTokenId: number;
  readonly padTokenId: number;
  readonly eosTokenIds: readonly number[];
}

export interface T5Config {
  readonly family: 't5';
  readonly hiddenSize: number;
  readonly layers: number;
  readonly decoderLayers: number;
  readonly heads: number;
  readonly headSize: number;
  readonly ffnSize: number;
  readonly vocabSize: number;
  readonly relativeBuckets: number;
  readonly relativeMaxDistance: number;
  readonly gated: boolean;
  readonly activation: Activation;
  readonly layerNormEps: number;
  /** Multiply the decoder output by hiddenSize^-0.5 before the head. Off in Flan-T5. */
  readonly scaleLogits: boolean;
  readonly bosTokenId: number;
  readonly padTokenId: number;
  readonly eosTokenIds: readonly number[];
  readonly decoderStartTokenId: number;
}

/** Vicuna, which InstructBLIP speaks with, is a LLaMA. */
export interface LlamaConfig {
  readonly family: 'llama';
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly headSize: number;
  readonly ffnSize: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  /** Base of the rotary frequencies. */
  readonly ropeTheta: number;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly activation: Activation;
  readonly rmsNormEps: number;
  readonly bosTokenId: number;
  readonly padTokenId: number;
  readonly eosTokenIds: readonly number[];
}

/** Language models that read the picture as the start of their own text. */
export type DecoderOnlyConfig = OptConfig | LlamaConfig;

export type TextConfig = DecoderOnlyConfig | T5Config;

/** The most tokens that the language model has positions for, the picture's included; null where positions are relative. */
export function positionLimit(text: TextConfig): number | null {
  return text.family === 't5' ? null : text.maxPositions;
}

const ids = z.union([int, z.array(int).nonempty()]).transform((v) => (typeof v === 'number' ? [v] : v));

const optSchema = () =>
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
      bos_token_id: int.default(2),
      pad_token_id: int.default(1),
      eos_token_id: ids.prefault(2),
    })
    .superRefine((c, ctx) => {
      divides('hidden_size', c.hidden_size, 'num_attention_heads', c.num_attention_heads, ctx);
      isRow('bos_token_id', c.bos_token_id, c.vocab_size, ctx);
      for (const id of [c.eos_token_id].flat()) isRow('eos_token_id', id, c.vocab_size, ctx);
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
      bosTokenId: c.bos_token_id,
      padTokenId: c.pad_token_id,
      eosTokenIds: c.eos_token_id,
    }));

const t5Schema = () =>
  z
    .looseObject({
      d_model: positive.default(512),
      d_kv: positive.default(64),
      d_ff: positive.default(2048),
      num_layers: layers.default(6),
      num_decoder_layers: layers.nullish(),
      num_heads: positive.default(8),
      vocab_size: positive.default(32128),
      relative_attention_num_buckets: positive.min(4).default(32),
      relative_attention_max_distance: positive.default(128),
      feed_forward_proj: z.string().default('relu'),
      dense_act_fn: activation.optional(),
      is_gated_act: z.boolean().optional(),
      layer_norm_epsilon: epsilon.default(1e-6),
      tie_word_embeddings: z.boolean().optional(),
      scale_decoder_outputs: z.boolean().optional(),
      pad_token_id: int.default(0),
      bos_token_id: int.nullish(),
      eos_token_id: ids.prefault(1),
      decoder_start_token_id: int.nullish(),
    })
    .superRefine((c, ctx) => {
      const start = c.decoder_start_token_id ?? c.pad_token_id;
      isRow('decoder_start_token_id', start, c.vocab_size, ctx);
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
        hiddenSize: c.d_model,
        layers: c.num_layers,
        decoderLayers: c.num_decoder_layers ?? c.num_layers,
        heads: c.num_heads,
        headSize: c.d_kv,
        ffnSize: c.d_ff,
        vocabSize: c.vocab_size,
        relativeBuckets: c.relative_attention_num_buckets,
        relativeMaxDistance: c.relative_attention_max_distance,
        gated: c.is_gated_act ?? c.feed_forward_proj.startsWith('gated'),
        activation: c.dense_act_fn ?? (parsed.success ? parsed.data : 'relu'),
        layerNormEps: c.layer_norm_epsilon,
        scaleLogits: c.scale_decoder_outputs ?? c.tie_word_embeddings !== false,
        bosTokenId: c.bos_token_id ?? 1,
        padTokenId: c.pad_token_id,
        eosTokenIds: c.eos_token_id,
        // transformers falls back to bos here, which is wrong for T5: the decoder starts from padding.
        decoderStartTokenId: c.decoder_start_token_id ?? c.pad_token_id,
      };
    });

const ropeSchema = () =>
  z.looseObject({
    rope_theta: z.number().positive().optional(),
    rope_type: z.literal('default', 'only rotary positions without scaling are known').optional(),
  });

const llamaSchema = () =>
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
      rope_scaling: z.null('only rotary positions without scaling are known').optional(),
      attention_bias: z.boolean().default(false),
      mlp_bias: z.boolean().default(false),
      hidden_act: activation.prefault('silu'),
      bos_token_id: int.default(1),
      pad_token_id: int.nullish(),
      eos_token_id: ids.prefault(2),
    })
    .superRefine((c, ctx) => {
      isRow('bos_token_id', c.bos_token_id, c.vocab_size, ctx);
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
      ropeTheta: c.rope_parameters?.rope_theta ?? c.rope_theta ?? 10_000,
      attentionBias: c.attention_bias,
      mlpBias: c.mlp_bias,
      activation: c.hidden_act,
      rmsNormEps: c.rms_norm_eps,
      bosTokenId: c.bos_token_id,
      padTokenId: c.pad_token_id ?? 0,
      eosTokenIds: c.eos_token_id,
    }));

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

export const textSchema = z.looseObject({ model_type: z.string().default('opt') }).transform((c, ctx): TextConfig => {
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
