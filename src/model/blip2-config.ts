/**
 * `config.json` of a BLIP-2 checkpoint, with every default that transformers would fill in.
 *
 * Published files are written as differences from the class defaults of transformers, so the defaults here are part of
 * the model: each is that of `Blip2VisionConfig`, `Blip2QFormerConfig`, `OPTConfig` or `T5Config` in transformers 5.
 */
import { z } from 'zod';
import { Blip2Error } from '../errors.js';

export interface VisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
  readonly activation: Activation;
  readonly layerNormEps: number;
  readonly qkvBias: boolean;
}

export interface QFormerConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly activation: Activation;
  readonly layerNormEps: number;
  /** Layers whose index is a multiple of this one attend to the picture. */
  readonly crossAttentionFrequency: number;
  /** Width of the vision tokens that cross-attention reads. */
  readonly encoderHiddenSize: number;
}

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

export type TextConfig = OptConfig | T5Config;

/** `gelu` is the exact erf form, `gelu_new` the tanh approximation. */
export type Activation = 'gelu' | 'gelu_new' | 'relu' | 'silu';

export interface Blip2Config {
  readonly vision: VisionConfig;
  readonly qformer: QFormerConfig;
  readonly text: TextConfig;
  readonly numQueryTokens: number;
  /** Id that stands for a picture row in `input_ids`; null in files from before late 2024 (the rows are concatenated). */
  readonly imageTokenId: number | null;
}

const int = z.number().int().nonnegative();
const positive = z.number().int().positive();
const ids = z.union([int, z.array(int).nonempty()]).transform((v) => (typeof v === 'number' ? [v] : v));

const activation = z.string().transform((name, ctx): Activation => {
  switch (name) {
    case 'gelu':
    case 'relu':
    case 'silu':
    case 'gelu_new':
      return name;
    case 'gelu_pytorch_tanh':
    case 'gelu_fast':
      return 'gelu_new';
    case 'swish':
      return 'silu';
    default:
      ctx.addIssue({ code: 'custom', message: `activation "${name}" is not one of gelu, gelu_new, relu, silu` });
      return z.NEVER;
  }
});

const visionSchema = z
  .looseObject({
    hidden_size: positive.default(1408),
    intermediate_size: positive.default(6144),
    num_hidden_layers: positive.default(39),
    num_attention_heads: positive.default(16),
    image_size: positive.default(224),
    patch_size: positive.default(14),
    num_channels: positive.default(3),
    hidden_act: activation.prefault('gelu'),
    layer_norm_eps: z.number().positive().default(1e-6),
    qkv_bias: z.boolean().default(true),
  })
  .transform((c): VisionConfig => ({
    hiddenSize: c.hidden_size,
    intermediateSize: c.intermediate_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    imageSize: c.image_size,
    patchSize: c.patch_size,
    channels: c.num_channels,
    activation: c.hidden_act,
    layerNormEps: c.layer_norm_eps,
    qkvBias: c.qkv_bias,
  }));

const qformerSchema = z.looseObject({
  hidden_size: positive.default(768),
  intermediate_size: positive.default(3072),
  num_hidden_layers: positive.default(12),
  num_attention_heads: positive.default(12),
  hidden_act: activation.prefault('gelu'),
  layer_norm_eps: z.number().positive().default(1e-12),
  cross_attention_frequency: positive.default(2),
});

const optSchema = z
  .looseObject({
    hidden_size: positive.default(768),
    num_hidden_layers: positive.default(12),
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

const t5Schema = z
  .looseObject({
    d_model: positive.default(512),
    d_kv: positive.default(64),
    d_ff: positive.default(2048),
    num_layers: positive.default(6),
    num_decoder_layers: positive.nullish(),
    num_heads: positive.default(8),
    vocab_size: positive.default(32128),
    relative_attention_num_buckets: positive.default(32),
    relative_attention_max_distance: positive.default(128),
    feed_forward_proj: z.string().default('relu'),
    dense_act_fn: activation.optional(),
    is_gated_act: z.boolean().optional(),
    layer_norm_epsilon: z.number().positive().default(1e-6),
    tie_word_embeddings: z.boolean().optional(),
    scale_decoder_outputs: z.boolean().optional(),
    pad_token_id: int.default(0),
    bos_token_id: int.nullish(),
    eos_token_id: ids.prefault(1),
    decoder_start_token_id: int.nullish(),
  })
  .transform((c, ctx): T5Config => {
    // "gated-gelu" means the tanh form unless dense_act_fn says otherwise; BLIP-2's files say "gelu" there.
    const named = c.feed_forward_proj === 'gated-gelu' ? 'gelu_new' : (c.feed_forward_proj.split('-').at(-1) ?? '');
    const parsed = activation.safeParse(named);
    if (c.dense_act_fn === undefined && !parsed.success) {
      ctx.addIssue({ code: 'custom', message: `feed_forward_proj "${c.feed_forward_proj}" names no known activation` });
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

const textSchema = z.looseObject({ model_type: z.string().default('opt') }).transform((c, ctx): TextConfig => {
  const schema = c.model_type === 'opt' ? optSchema : c.model_type === 't5' ? t5Schema : null;
  if (schema === null) {
    ctx.addIssue({
      code: 'custom',
      path: ['model_type'],
      message: `language model "${c.model_type}" is not opt or t5`,
    });
    return z.NEVER;
  }
  const parsed = schema.safeParse(c);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) ctx.addIssue({ code: 'custom', path: issue.path, message: issue.message });
  return z.NEVER;
});

const configSchema = z
  .looseObject({
    model_type: z.literal('blip-2'),
    num_query_tokens: positive.default(32),
    image_token_index: int.nullish(),
    image_token_id: int.nullish(),
    vision_config: visionSchema.prefault({}),
    qformer_config: qformerSchema.prefault({}),
    text_config: textSchema.prefault({}),
  })
  .transform((c): Blip2Config => ({
    vision: c.vision_config,
    qformer: {
      hiddenSize: c.qformer_config.hidden_size,
      intermediateSize: c.qformer_config.intermediate_size,
      layers: c.qformer_config.num_hidden_layers,
      heads: c.qformer_config.num_attention_heads,
      activation: c.qformer_config.hidden_act,
      layerNormEps: c.qformer_config.layer_norm_eps,
      crossAttentionFrequency: c.qformer_config.cross_attention_frequency,
      // transformers overwrites encoder_hidden_size with the vision width at load, whatever the file says.
      encoderHiddenSize: c.vision_config.hiddenSize,
    },
    text: c.text_config,
    numQueryTokens: c.num_query_tokens,
    imageTokenId: c.image_token_index ?? c.image_token_id ?? null,
  }));

/**
 * Reads a parsed `config.json`. Unknown fields are ignored, absent ones take transformers' defaults.
 * @throws Blip2Error `CONFIG_INVALID`, naming every field that is wrong.
 */
export function parseBlip2Config(json: unknown): Blip2Config {
  const parsed = configSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(document)'}: ${issue.message}`);
  throw new Blip2Error('CONFIG_INVALID', `config.json is not a BLIP-2 configuration: ${issues.join('; ')}`, {
    hint: 'A BLIP-2 config.json has "model_type": "blip-2" and the parts vision_config, qformer_config and text_config.',
    details: { issues },
  });
}
