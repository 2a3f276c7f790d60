/**
 * The values that flow between the blocks of BLIP-2, by name. A wire is what a cut between two devices carries, so
 * each has one type wherever the model is cut. Activations are rows `[batch * tokens, width]`, as `Gemm` takes them.
 */
import { isRetrieval, type ModelConfig } from '../../model/blip2-config.js';
import type { Block, BlockKind } from '../../model/blocks.js';
import type { TextConfig } from '../../model/language-config.js';
import type { ValueType } from '../onnx/graph-builder.js';

/** Key and value of one decoder layer, as far as they are computed: `[batch, heads, length, headSize]`. */
export type CachePart = 'key' | 'value';

export const pastWire = (layer: number, part: CachePart): string => `past.${layer}.${part}`;
/** Key and value of one decoder layer's cross-attention, for the whole prompt. */
export const crossWire = (layer: number, part: CachePart): string => `cross.${layer}.${part}`;
export const presentWire = (layer: number, part: CachePart): string => `present.${layer}.${part}`;

const DECODER_LAYERS: ReadonlySet<BlockKind> = new Set<BlockKind>(['opt-layer', 'llama-layer', 't5-decoder-layer']);

/** The caches of a block: a decoder layer's keys and values, none of others. */
export const cacheWires = (wire: typeof presentWire, { kind, index }: Block): string[] =>
  DECODER_LAYERS.has(kind) ? [wire(index, 'key'), wire(index, 'value')] : [];

/** The language model of a model that has one. */
export function textConfig(config: ModelConfig): TextConfig {
  if (isRetrieval(config)) throw new Error('a block of a language model in a model that has none');
  return config.text;
}

/** The configuration of a language model of one family, whose block it is that asks. */
export function textConfigOf<F extends TextConfig['family']>(
  config: ModelConfig,
  family: F,
): Extract<TextConfig, { family: F }> {
  const text = textConfig(config);
  if (!isOfFamily(text, family)) throw new Error(`a block of ${family} in a model of ${text.family}`);
  return text;
}

const isOfFamily = <F extends TextConfig['family']>(
  text: TextConfig,
  family: F,
): text is Extract<TextConfig, { family: F }> => text.family === family;

export function wireType(config: ModelConfig, name: string): ValueType {
  const { vision, qformer, numQueryTokens } = config;
  switch (name) {
    case 'pixel_values':
      return float(['batch', vision.channels, 'height', 'width']);
    case 'vision':
      return float(['vision_rows', vision.hiddenSize]);
    case 'query':
      return float(['query_rows', qformer.hiddenSize]);
    case 'words':
      return float(['word_rows', qformer.hiddenSize]);
    case 'word_ids':
      return { dtype: 'I64', dims: ['batch', 'words'] };
    case 'word_bias':
      return float(['batch', 1, 'qformer_tokens', 'qformer_tokens']);
    case 'image_embeds':
      return float(['batch', numQueryTokens, embedSize(config)]);
    case 'text_embeds':
      return float(['batch', 'words', embedSize(config)]);
    case 'match_logits':
      return float(['batch', 2]);
    default:
      return languageWireType(textConfig(config), numQueryTokens, name);
  }
}

function languageWireType(text: TextConfig, numQueryTokens: number, name: string): ValueType {
  switch (name) {
    case 'language_input':
      return float(['batch', numQueryTokens, text.hiddenSize]);
    case 'prefix':
      return float(['batch', 'prefix_tokens', text.hiddenSize]);
    case 'input_ids':
      return { dtype: 'I64', dims: ['batch', 'text_tokens'] };
    case 'positions':
      return { dtype: 'I64', dims: ['batch', 'tokens'] };
    case 'attention_bias':
      return float(['batch', 1, 'tokens', 'length']);
    case 'hidden':
      return float(['rows', text.hiddenSize]);
    case 'embedded':
      return float(['rows', text.family === 'opt' ? text.embedSize : text.hiddenSize]);
    case 'logits':
      return float(['logit_rows', text.vocabSize]);
    case 'encoder_buckets':
      return { dtype: 'I64', dims: ['prompt_tokens', 'prompt_tokens'] };
    case 'encoder_mask':
      return float(['batch', 'prompt_tokens']);
    case 'encoder_bias':
      return float(['batch', text.heads, 'prompt_tokens', 'prompt_tokens']);
    case 'encoder_hidden':
      return float(['prompt_rows', text.hiddenSize]);
    case 'decoder_ids':
      return { dtype: 'I64', dims: ['batch', 'tokens'] };
    case 'decoder_buckets':
      return { dtype: 'I64', dims: ['tokens', 'length'] };
    case 'decoder_bias':
      return float(['batch', text.heads, 'tokens', 'length']);
    case 'cross_bias':
      return float(['batch', 1, 'tokens', 'prompt_tokens']);
    default:
      return float(['batch', text.heads, cacheLength(name), headSize(text)]);
  }
}

/** The name of the length of a cache: `past.3.key` and its like. */
function cacheLength(name: string): string {
  const kind = /^(past|present|cross)\.\d+\.(key|value)$/.exec(name)?.[1];
  if (kind === undefined) throw new Error(`no wire is called ${name}`);
  return { past: 'past_length', present: 'length', cross: 'prompt_tokens' }[kind] ?? kind;
}

export const headSize = (text: TextConfig): number =>
  text.family === 'opt' ? text.hiddenSize / text.heads : text.headSize;

function embedSize(config: ModelConfig): number {
  if (!isRetrieval(config)) throw new Error('a model that generates text embeds nothing');
  return config.embedSize;
}

function float(dims: ValueType['dims']): ValueType {
  return { dtype: 'F32', dims };
}
