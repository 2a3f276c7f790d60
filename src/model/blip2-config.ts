/**
 * `config.json` of a BLIP-2 or InstructBLIP checkpoint, with every default that transformers would fill in.
 *
 * Published files are written as differences from the class defaults of transformers, so the defaults here are part of
 * the model: each is that of `Blip2VisionConfig` or `Blip2QFormerConfig` in transformers 5. InstructBLIP's are the same.
 */
import * as z from 'zod';
import { Blip2Error } from '../errors.js';
import { parseDocument } from '../parse-document.js';
import { activation, divides, epsilon, int, isRow, layers, positive, type Activation } from './config-fields.js';
import { textSchema, type TextConfig } from './language-config.js';

interface TowerFields {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly activation: Activation;
  readonly layerNormEps: number;
}

export interface VisionConfig extends TowerFields {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
  readonly qkvBias: boolean;
}

export interface QFormerConfig extends TowerFields {
  /** Layers whose index is a multiple of this one attend to the picture. */
  readonly crossAttentionFrequency: number;
  /** Width of the vision tokens that cross-attention reads. */
  readonly encoderHiddenSize: number;
  /** The text that it reads beside the picture; null in BLIP-2 that generates, which has the queries only. */
  readonly text: QFormerTextConfig | null;
}

/** A second set of feed-forwards and the tables of BERT, for the words in the Q-Former. */
export interface QFormerTextConfig {
  readonly vocabSize: number;
  /** Rows of the position table: the most tokens a text may have. */
  readonly maxPositions: number;
}

/** What every BLIP-2 has: the picture's side of it. */
export interface EncoderConfig {
  readonly vision: VisionConfig;
  readonly qformer: QFormerConfig;
  readonly numQueryTokens: number;
  /** Id that stands for a picture row in `input_ids`; null in files from before late 2024 (the rows are concatenated). */
  readonly imageTokenId: number | null;
}

/** A BLIP-2 that generates text. Where the Q-Former reads text too, it is an InstructBLIP. */
export interface Blip2Config extends EncoderConfig {
  readonly text: TextConfig;
}

/** A BLIP-2 that compares pictures with texts (`Blip2ForImageTextRetrieval`). */
export interface RetrievalConfig extends EncoderConfig {
  /** Width of the vectors that pictures and texts become. */
  readonly embedSize: number;
}

export type ModelConfig = Blip2Config | RetrievalConfig;

const visionSchema = z
  .looseObject({
    hidden_size: positive.default(1408),
    intermediate_size: positive.default(6144),
    num_hidden_layers: layers.default(39),
    num_attention_heads: positive.default(16),
    image_size: positive.default(224),
    patch_size: positive.default(14),
    num_channels: positive.default(3),
    hidden_act: activation.prefault('gelu'),
    layer_norm_eps: epsilon.default(1e-6),
    qkv_bias: z.boolean().default(true),
  })
  .superRefine((c, ctx) => {
    divides('hidden_size', c.hidden_size, 'num_attention_heads', c.num_attention_heads, ctx);
    if (c.patch_size <= c.image_size) return;
    ctx.addIssue({
      code: 'custom',
      path: ['patch_size'],
      message: `patches of ${c.patch_size} pixels are larger than the picture, image_size ${c.image_size}`,
    });
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

const qformerSchema = z
  .looseObject({
    hidden_size: positive.default(768),
    intermediate_size: positive.default(3072),
    num_hidden_layers: layers.default(12),
    num_attention_heads: positive.default(12),
    hidden_act: activation.prefault('gelu'),
    layer_norm_eps: epsilon.default(1e-12),
    cross_attention_frequency: positive.default(2),
    vocab_size: positive.default(30_522),
    max_position_embeddings: positive.default(512),
    use_qformer_text_input: z.boolean().default(false),
  })
  .superRefine((c, ctx) => divides('hidden_size', c.hidden_size, 'num_attention_heads', c.num_attention_heads, ctx));

/** Published models have 32. */
const MAX_QUERY_TOKENS = 4096;

const configSchema = z
  .looseObject({
    model_type: z.enum(['blip-2', 'instructblip']),
    num_query_tokens: positive.max(MAX_QUERY_TOKENS).default(32),
    image_token_index: int.nullish(),
    image_token_id: int.nullish(),
    image_text_hidden_size: positive.default(256),
    vision_config: visionSchema.prefault({}),
    qformer_config: qformerSchema.prefault({}),
    text_config: textSchema.prefault({}),
  })
  .transform((c, ctx): ModelConfig => {
    const { qformer_config: qformer, vision_config: vision } = c;
    const reads = c.model_type === 'instructblip' || qformer.use_qformer_text_input;
    const encoder: EncoderConfig = {
      vision,
      qformer: {
        hiddenSize: qformer.hidden_size,
        intermediateSize: qformer.intermediate_size,
        layers: qformer.num_hidden_layers,
        heads: qformer.num_attention_heads,
        activation: qformer.hidden_act,
        layerNormEps: qformer.layer_norm_eps,
        crossAttentionFrequency: qformer.cross_attention_frequency,
        // transformers overwrites encoder_hidden_size with the vision width at load, whatever the file says.
        encoderHiddenSize: vision.hiddenSize,
        text: reads ? { vocabSize: qformer.vocab_size, maxPositions: qformer.max_position_embeddings } : null,
      },
      numQueryTokens: c.num_query_tokens,
      // Two names of one field: transformers sets the second last, null too.
      imageTokenId: (c.image_token_id === undefined ? c.image_token_index : c.image_token_id) ?? null,
    };
    if (c.model_type === 'blip-2' && reads) return { ...encoder, embedSize: c.image_text_hidden_size };
    // Its row is read before the picture's takes its place.
    isRow('image_token_index', encoder.imageTokenId ?? 0, c.text_config.vocabSize, ctx);
    return { ...encoder, text: c.text_config };
  });

const quantizedSchema = z.looseObject({
  quantization_config: z.looseObject({ quant_method: z.string().default('an unnamed method') }),
});

/**
 * Reads a parsed `config.json`. Unknown fields are ignored, absent ones take transformers' defaults.
 * @throws Blip2Error `CONFIG_INVALID`, naming every field that is wrong; `CHECKPOINT_QUANTIZED` where the weights are
 *   stored in another package's small integers.
 */
export function parseModelConfig(json: unknown): ModelConfig {
  if (json === null) {
    throw new Blip2Error('CONFIG_INVALID', 'there is no config.json beside the weights, which says what they are of', {
      hint: 'An adapter (adapter_config.json) is no model: merge it into its model with PEFT (merge_and_unload), and save that.',
    });
  }
  const quantized = quantizedSchema.safeParse(json);
  if (quantized.success) throw quantizedElsewhere(quantized.data.quantization_config.quant_method);
  return parseDocument(configSchema, json, {
    code: 'CONFIG_INVALID',
    what: 'config.json is not a BLIP-2 configuration',
    hint: 'A BLIP-2 config.json has "model_type": "blip-2" and the parts vision_config, qformer_config and text_config.',
  });
}

function quantizedElsewhere(method: string): Blip2Error {
  return new Blip2Error(
    'CHECKPOINT_QUANTIZED',
    `config.json has quantization_config: the weights are quantised by ${method}, which this package does not read`,
    {
      hint: 'Take the checkpoint with floats that it was made of. blip2-shard convert --quant stores int8 or int4 that can be read here.',
      details: { method },
    },
  );
}

/**
 * The configuration of a checkpoint that generates text: BLIP-2 or InstructBLIP.
 * @throws Blip2Error `CONFIG_INVALID`, also for a retrieval checkpoint.
 */
export function parseBlip2Config(json: unknown): Blip2Config {
  const config = parseModelConfig(json);
  if (!isRetrieval(config)) return config;
  throw new Blip2Error('CONFIG_INVALID', 'this checkpoint compares pictures with texts; it has no language model', {
    hint: 'Match or embed with it, or take a checkpoint that generates text, such as Salesforce/blip2-opt-2.7b.',
  });
}

/**
 * The configuration of a checkpoint that compares pictures with texts.
 * @throws Blip2Error `CONFIG_INVALID`, also for one that generates text.
 */
export function parseRetrievalConfig(json: unknown): RetrievalConfig {
  const config = parseModelConfig(json);
  if (isRetrieval(config)) return config;
  throw new Blip2Error('CONFIG_INVALID', 'this checkpoint generates text; it has no heads to match or embed with', {
    hint: 'Take a retrieval checkpoint, such as Salesforce/blip2-itm-vit-g.',
  });
}

export function isRetrieval(config: ModelConfig): config is RetrievalConfig {
  return 'embedSize' in config;
}

/** What to know of a checkpoint that generates without an id for the picture, as of before late 2024; else null. */
export function placeholderWarning(config: ModelConfig): string | null {
  if (config.imageTokenId !== null || isRetrieval(config)) return null;
  return (
    'config.json has no image_token_index, the id of "<image>" in the tokenizer: transformers 5 fails to generate without it; ' +
    'transformers 4 put the picture in front of the text, as blip2-run does.'
  );
}

/** Whether a `config.json` is of a model that this package knows block by block. */
export function isBlip2(config: unknown): boolean {
  if (typeof config !== 'object' || config === null || !('model_type' in config)) return false;
  return config.model_type === 'blip-2' || config.model_type === 'instructblip';
}
