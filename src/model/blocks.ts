/**
 * The blocks of BLIP-2 in the order they run: the smallest pieces that a device map may place. A block is never cut.
 *
 * The planner puts costs on these blocks and the runtime turns each into graph nodes, so both speak of the same pieces.
 * A block's `name` is the Hugging Face module path (or root parameter) that owns its tensors.
 */
import { isRetrieval, type Blip2Config, type ModelConfig, type RetrievalConfig } from './blip2-config.js';
import type { TextConfig } from './language-config.js';
import type { OptConfig } from './opt-config.js';
import type { T5Config } from './t5-config.js';
import type { LlamaConfig } from './llama-config.js';

/** How often a block runs: once per picture, once per prompt, or once per prompt and again for every further token. */
export type BlockPhase = 'image' | 'prompt' | 'token';

/** What a block computes: blocks of one kind differ in nothing but their layer number. */
export type BlockKind =
  | 'vision-embeddings'
  | 'vision-layer'
  | 'vision-norm'
  | 'query-tokens'
  | 'qformer-norm'
  | 'qformer-embeddings'
  | 'text-embeddings'
  | 'qformer-layer'
  | 'projection'
  | 'vision-projection'
  | 'text-projection'
  | 'match-head'
  | 'opt-tokens'
  | 'opt-project-in'
  | 'opt-positions'
  | 'opt-layer'
  | 'opt-norm'
  | 'opt-project-out'
  | 't5-tokens'
  | 't5-encoder-layer'
  | 't5-encoder-norm'
  | 't5-decoder-layer'
  | 't5-decoder-norm'
  | 'llama-tokens'
  | 'llama-layer'
  | 'llama-norm'
  | 'head';

/** A part that is placed as one; `name` is its module path or root parameter, a key of the device map. */
export interface Block {
  readonly name: string;
  readonly kind: BlockKind;
  /** Position among its twins (layer number), 0 where there is one only. */
  readonly index: number;
  readonly phase: BlockPhase;
}

/** The parts of a model that are placed as one, in the order in which they run. */
export function blip2Blocks(config: ModelConfig): Block[] {
  return [
    one('vision_model.embeddings', 'vision-embeddings', 'image'),
    ...layers('vision_model.encoder.layers', config.vision.layers, 'vision-layer', 'image'),
    one('vision_model.post_layernorm', 'vision-norm', 'image'),
    one('query_tokens', 'query-tokens', 'image'),
    ...(isRetrieval(config) ? retrievalBlocks(config) : generationBlocks(config)),
  ];
}

function generationBlocks({ qformer, text }: Blip2Config): Block[] {
  return [
    qformer.text === null
      ? one('qformer.layernorm', 'qformer-norm', 'image')
      : one('qformer.embeddings', 'qformer-embeddings', 'image'),
    ...layers('qformer.encoder.layer', qformer.layers, 'qformer-layer', 'image'),
    one('language_projection', 'projection', 'image'),
    ...languageBlocks(text),
  ];
}

function retrievalBlocks({ qformer }: RetrievalConfig): Block[] {
  return [
    one('embeddings', 'text-embeddings', 'image'),
    one('qformer.layernorm', 'qformer-norm', 'image'),
    ...layers('qformer.encoder.layer', qformer.layers, 'qformer-layer', 'image'),
    one('vision_projection', 'vision-projection', 'image'),
    one('text_projection', 'text-projection', 'image'),
    one('itm_head', 'match-head', 'image'),
  ];
}

function languageBlocks(text: TextConfig): Block[] {
  switch (text.family) {
    case 'opt':
      return optBlocks(text);
    case 't5':
      return t5Blocks(text);
    case 'llama':
      return llamaBlocks(text);
  }
}

function optBlocks(text: OptConfig): Block[] {
  const decoder = 'language_model.model.decoder';
  const projected = text.embedSize !== text.hiddenSize;
  return [
    one(`${decoder}.embed_tokens`, 'opt-tokens', 'token'),
    ...(projected ? [one(`${decoder}.project_in`, 'opt-project-in', 'token')] : []),
    one(`${decoder}.embed_positions`, 'opt-positions', 'token'),
    ...layers(`${decoder}.layers`, text.layers, 'opt-layer', 'token'),
    ...(text.finalLayerNorm ? [one(`${decoder}.final_layer_norm`, 'opt-norm', 'token')] : []),
    ...(projected ? [one(`${decoder}.project_out`, 'opt-project-out', 'token')] : []),
    one('language_model.lm_head', 'head', 'token'),
  ];
}

function llamaBlocks(text: LlamaConfig): Block[] {
  const model = 'language_model.model';
  return [
    one(`${model}.embed_tokens`, 'llama-tokens', 'token'),
    ...layers(`${model}.layers`, text.layers, 'llama-layer', 'token'),
    one(`${model}.norm`, 'llama-norm', 'token'),
    one('language_model.lm_head', 'head', 'token'),
  ];
}

function t5Blocks(text: T5Config): Block[] {
  const lm = 'language_model';
  return [
    one(`${lm}.shared`, 't5-tokens', 'token'),
    ...layers(`${lm}.encoder.block`, text.layers, 't5-encoder-layer', 'prompt'),
    one(`${lm}.encoder.final_layer_norm`, 't5-encoder-norm', 'prompt'),
    ...layers(`${lm}.decoder.block`, text.decoderLayers, 't5-decoder-layer', 'token'),
    one(`${lm}.decoder.final_layer_norm`, 't5-decoder-norm', 'token'),
    one(`${lm}.lm_head`, 'head', 'token'),
  ];
}

function one(name: string, kind: BlockKind, phase: BlockPhase): Block {
  return { name, kind, index: 0, phase };
}

function layers(prefix: string, count: number, kind: BlockKind, phase: BlockPhase): Block[] {
  return Array.from({ length: count }, (_, index) => ({ name: `${prefix}.${index}`, kind, index, phase }));
}
