/**
 * Names and shapes of every tensor that a configuration implies, in the order transformers registers them.
 * The names have not changed between transformers 4.27 and 5.18.
 */
import type { Dtype } from '../tensor/dtype.js';
import type { TensorInfo } from '../tensor/tensor-info.js';
import {
  isRetrieval,
  type ModelConfig,
  type QFormerConfig,
  type RetrievalConfig,
  type VisionConfig,
} from './blip2-config.js';
import type { TextConfig } from './language-config.js';
import type { OptConfig } from './opt-config.js';
import type { T5Config } from './t5-config.js';
import type { LlamaConfig } from './llama-config.js';

/** What a configuration does not say of the tensors. */
export interface Blip2TensorOptions {
  readonly dtype: Dtype;
  /** Whether the language model's head is a tensor of its own. Published OPT files tie it; Flan-T5 files do not. */
  readonly ownHead: boolean;
}

/**
 * Every tensor that a configuration implies: name -> dtype and shape, in the order in which transformers registers them. Shapes are
 * as PyTorch stores them, `[out, in]` for linear weights. Source: `Blip2ForConditionalGeneration` and its kin in transformers.
 */
export function blip2Tensors(config: ModelConfig, { dtype, ownHead }: Blip2TensorOptions): Map<string, TensorInfo> {
  const shapes = new ShapeTable();
  shapes.add('query_tokens', [1, config.numQueryTokens, config.qformer.hiddenSize]);
  addVision(shapes, config.vision);
  addQFormer(shapes, config.qformer, isRetrieval(config));
  if (isRetrieval(config)) addRetrieval(shapes, config);
  else {
    shapes.linear('language_projection', config.qformer.hiddenSize, config.text.hiddenSize);
    addLanguageModel(shapes, config.text, ownHead);
  }
  return new Map([...shapes.rows].map(([name, shape]) => [name, { dtype, shape }]));
}

class ShapeTable {
  readonly rows = new Map<string, readonly number[]>();

  add(name: string, shape: readonly number[]): void {
    this.rows.set(name, shape);
  }

  /** A weight `[out, in]`, as PyTorch stores it, and its bias. */
  linear(name: string, inSize: number, outSize: number, bias = true): void {
    this.add(`${name}.weight`, [outSize, inSize]);
    if (bias) this.add(`${name}.bias`, [outSize]);
  }

  norm(name: string, size: number, affine = true): void {
    if (!affine) return;
    this.add(`${name}.weight`, [size]);
    this.add(`${name}.bias`, [size]);
  }
}

function addVision(shapes: ShapeTable, c: VisionConfig): void {
  const patches = Math.floor(c.imageSize / c.patchSize) ** 2;
  const embeddings = 'vision_model.embeddings';
  shapes.add(`${embeddings}.class_embedding`, [1, 1, c.hiddenSize]);
  shapes.add(`${embeddings}.position_embedding`, [1, patches + 1, c.hiddenSize]);
  shapes.add(`${embeddings}.patch_embedding.weight`, [c.hiddenSize, c.channels, c.patchSize, c.patchSize]);
  shapes.add(`${embeddings}.patch_embedding.bias`, [c.hiddenSize]);
  for (let i = 0; i < c.layers; i++) {
    const layer = `vision_model.encoder.layers.${i}`;
    shapes.linear(`${layer}.self_attn.qkv`, c.hiddenSize, 3 * c.hiddenSize, c.qkvBias);
    shapes.linear(`${layer}.self_attn.projection`, c.hiddenSize, c.hiddenSize);
    shapes.norm(`${layer}.layer_norm1`, c.hiddenSize);
    shapes.linear(`${layer}.mlp.fc1`, c.hiddenSize, c.intermediateSize);
    shapes.linear(`${layer}.mlp.fc2`, c.intermediateSize, c.hiddenSize);
    shapes.norm(`${layer}.layer_norm2`, c.hiddenSize);
  }
  shapes.norm('vision_model.post_layernorm', c.hiddenSize);
}

function addQFormer(shapes: ShapeTable, c: QFormerConfig, retrieval: boolean): void {
  // InstructBLIP keeps the tables of its instruction inside the Q-Former, and the norm with them.
  const tables = retrieval ? 'embeddings' : 'qformer.embeddings';
  shapes.norm(c.text === null || retrieval ? 'qformer.layernorm' : `${tables}.layernorm`, c.hiddenSize);
  if (c.text !== null) {
    shapes.add(`${tables}.word_embeddings.weight`, [c.text.vocabSize, c.hiddenSize]);
    shapes.add(`${tables}.position_embeddings.weight`, [c.text.maxPositions, c.hiddenSize]);
  }
  for (let i = 0; i < c.layers; i++) {
    const layer = `qformer.encoder.layer.${i}`;
    addBertAttention(shapes, `${layer}.attention`, c.hiddenSize, c.hiddenSize);
    if (i % c.crossAttentionFrequency === 0) {
      addBertAttention(shapes, `${layer}.crossattention`, c.hiddenSize, c.encoderHiddenSize);
    }
    for (const rows of c.text === null ? ['_query'] : ['_query', '']) {
      shapes.linear(`${layer}.intermediate${rows}.dense`, c.hiddenSize, c.intermediateSize);
      shapes.linear(`${layer}.output${rows}.dense`, c.intermediateSize, c.hiddenSize);
      shapes.norm(`${layer}.output${rows}.LayerNorm`, c.hiddenSize);
    }
  }
}

function addBertAttention(shapes: ShapeTable, name: string, size: number, keySize: number): void {
  shapes.linear(`${name}.attention.query`, size, size);
  shapes.linear(`${name}.attention.key`, keySize, size);
  shapes.linear(`${name}.attention.value`, keySize, size);
  shapes.linear(`${name}.output.dense`, size, size);
  shapes.norm(`${name}.output.LayerNorm`, size);
}

function addRetrieval(shapes: ShapeTable, { qformer, embedSize }: RetrievalConfig): void {
  shapes.linear('vision_projection', qformer.hiddenSize, embedSize);
  shapes.linear('text_projection', qformer.hiddenSize, embedSize);
  shapes.linear('itm_head', qformer.hiddenSize, 2);
}

function addLanguageModel(shapes: ShapeTable, text: TextConfig, ownHead: boolean): void {
  switch (text.family) {
    case 'opt':
      return addOpt(shapes, text, ownHead);
    case 't5':
      return addT5(shapes, text, ownHead);
    case 'llama':
      return addLlama(shapes, text, ownHead);
  }
}

function addLlama(shapes: ShapeTable, c: LlamaConfig, ownHead: boolean): void {
  const model = 'language_model.model';
  const inner = c.heads * c.headSize;
  shapes.add(`${model}.embed_tokens.weight`, [c.vocabSize, c.hiddenSize]);
  for (let i = 0; i < c.layers; i++) {
    const layer = `${model}.layers.${i}`;
    for (const part of ['q_proj', 'k_proj', 'v_proj']) {
      shapes.linear(`${layer}.self_attn.${part}`, c.hiddenSize, inner, c.attentionBias);
    }
    shapes.linear(`${layer}.self_attn.o_proj`, inner, c.hiddenSize, c.attentionBias);
    shapes.linear(`${layer}.mlp.gate_proj`, c.hiddenSize, c.ffnSize, c.mlpBias);
    shapes.linear(`${layer}.mlp.up_proj`, c.hiddenSize, c.ffnSize, c.mlpBias);
    shapes.linear(`${layer}.mlp.down_proj`, c.ffnSize, c.hiddenSize, c.mlpBias);
    shapes.add(`${layer}.input_layernorm.weight`, [c.hiddenSize]);
    shapes.add(`${layer}.post_attention_layernorm.weight`, [c.hiddenSize]);
  }
  shapes.add(`${model}.norm.weight`, [c.hiddenSize]);
  if (ownHead) shapes.add('language_model.lm_head.weight', [c.vocabSize, c.hiddenSize]);
}

function addOpt(shapes: ShapeTable, c: OptConfig, ownHead: boolean): void {
  const decoder = 'language_model.model.decoder';
  shapes.add(`${decoder}.embed_tokens.weight`, [c.vocabSize, c.embedSize]);
  shapes.add(`${decoder}.embed_positions.weight`, [c.maxPositions + 2, c.hiddenSize]);
  if (c.embedSize !== c.hiddenSize) {
    shapes.linear(`${decoder}.project_out`, c.hiddenSize, c.embedSize, false);
    shapes.linear(`${decoder}.project_in`, c.embedSize, c.hiddenSize, false);
  }
  if (c.finalLayerNorm) shapes.norm(`${decoder}.final_layer_norm`, c.hiddenSize, c.layerNormAffine);
  for (let i = 0; i < c.layers; i++) {
    const layer = `${decoder}.layers.${i}`;
    for (const part of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) {
      shapes.linear(`${layer}.self_attn.${part}`, c.hiddenSize, c.hiddenSize, c.bias);
    }
    shapes.norm(`${layer}.self_attn_layer_norm`, c.hiddenSize, c.layerNormAffine);
    shapes.linear(`${layer}.fc1`, c.hiddenSize, c.ffnSize, c.bias);
    shapes.linear(`${layer}.fc2`, c.ffnSize, c.hiddenSize, c.bias);
    shapes.norm(`${layer}.final_layer_norm`, c.hiddenSize, c.layerNormAffine);
  }
  if (ownHead) shapes.add('language_model.lm_head.weight', [c.vocabSize, c.embedSize]);
}

function addT5(shapes: ShapeTable, c: T5Config, ownHead: boolean): void {
  shapes.add('language_model.shared.weight', [c.vocabSize, c.hiddenSize]);
  addT5Stack(shapes, c, 'encoder', c.layers);
  addT5Stack(shapes, c, 'decoder', c.decoderLayers);
  if (ownHead) shapes.add('language_model.lm_head.weight', [c.vocabSize, c.hiddenSize]);
}

function addT5Stack(shapes: ShapeTable, c: T5Config, stack: 'encoder' | 'decoder', count: number): void {
  const inner = c.heads * c.headSize;
  const attention = (name: string) => {
    for (const part of ['q', 'k', 'v']) shapes.linear(`${name}.${part}`, c.hiddenSize, inner, false);
    shapes.linear(`${name}.o`, inner, c.hiddenSize, false);
  };
  for (let i = 0; i < count; i++) {
    const layer = `language_model.${stack}.block.${i}.layer`;
    attention(`${layer}.0.SelfAttention`);
    if (i === 0) {
      shapes.add(`${layer}.0.SelfAttention.relative_attention_bias.weight`, [c.relativeBuckets, c.heads]);
    }
    shapes.add(`${layer}.0.layer_norm.weight`, [c.hiddenSize]);
    if (stack === 'decoder') {
      attention(`${layer}.1.EncDecAttention`);
      shapes.add(`${layer}.1.layer_norm.weight`, [c.hiddenSize]);
    }
    const ffn = stack === 'decoder' ? 2 : 1;
    for (const wi of c.gated ? ['wi_0', 'wi_1'] : ['wi']) {
      shapes.linear(`${layer}.${ffn}.DenseReluDense.${wi}`, c.hiddenSize, c.ffnSize, false);
    }
    shapes.linear(`${layer}.${ffn}.DenseReluDense.wo`, c.ffnSize, c.hiddenSize, false);
    shapes.add(`${layer}.${ffn}.layer_norm.weight`, [c.hiddenSize]);
  }
  shapes.add(`language_model.${stack}.final_layer_norm.weight`, [c.hiddenSize]);
}
