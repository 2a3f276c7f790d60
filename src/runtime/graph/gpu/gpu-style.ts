/**
 * How graphs for a GPU differ from those for the CPU: activations are `[batch, tokens, width]` in the device's float, and
 * weights are inputs of the graph, bound to memory that the caller fills. So one graph serves every layer that looks
 * alike, whether its weights stay on the device or pass through it.
 */
import type { ModelConfig } from '../../../model/blip2-config.js';
import type { TextConfig } from '../../../model/language-config.js';
import { quantizedHeadBytes } from '../../../model/quantized-caches.js';
import type { ValueType } from '../../onnx/graph-builder.js';
import type { AttentionForm, GraphStyle } from '../stage-builder.js';
import { headSize, textConfig, wireType } from '../wires.js';

/** Of activations: float16 on GPUs, float32 where a CPU stands in for one, and between the Q-Former's layers. */
export type GpuFloat = 'F16' | 'F32';

export interface GpuStyle extends GraphStyle {
  readonly float: GpuFloat;
  /** Of weights that activations are multiplied with. */
  readonly matrices: GpuFloat;
}

export function gpuStyle(float: GpuFloat): GpuStyle {
  return {
    float,
    matrices: float,
    weights: 'inputs',
    wireType: (config, wire) => gpuWireType(config, float, wire),
  };
}

/**
 * CUDA's, with operators of our own where the card runs them.
 * @param quantizesCaches only for models that `mayQuantizeCaches`
 */
export function cudaStyle(ownKernels: boolean, quantizesCaches = false): GpuStyle {
  const style = { ...gpuStyle('F16'), ownKernels };
  if (!quantizesCaches) return style;
  return {
    ...style,
    quantizesCaches,
    wireType: (config, wire) =>
      /^(past|present)\./.test(wire) ? quantizedCacheType(textConfig(config)) : style.wireType(config, wire),
  };
}

/** The integers of a head and then the scales, as bytes. */
const quantizedCacheType = (text: TextConfig): ValueType => ({
  dtype: 'U8',
  dims: ['batch', text.heads, 'capacity', quantizedHeadBytes(headSize(text))],
});

/**
 * WebGPU adds up a product in the product's own dtype: float16 activations would lose ten times as much as on CUDA. So
 * activations are float32, and only matrices are float16.
 */
export function webgpuStyle(matrices: GpuFloat, attention: AttentionForm = 'fused'): GpuStyle {
  return { ...gpuStyle('F32'), matrices, forWebGpu: true, attention };
}

/**
 * Beside the wires of the CPU's graphs: `patches` are the rows between the layers of the vision model; `seqlens` and
 * `total` are what `GroupQueryAttention` asks for (cached tokens of each row, and the longest row with its new tokens);
 * without it, `cache_positions` and `attention_bias` say where new tokens go and which are seen. `distance_bias` and `cross_lengths` are what
 * T5's operators of our own read in place of biases: numbers added by distance, and tokens of each row's prompt less one. `position_rows` are rows
 * of OPT's table of positions, of each row's or the same for all. `row_shape` is `[batch, tokens, -1]`, see `StageSources`.
 */
function gpuWireType(config: ModelConfig, float: GpuFloat, wire: string): ValueType {
  switch (wire) {
    case 'pixel_values':
      return { ...wireType(config, wire), dtype: float };
    case 'patches':
    case 'vision':
      return { dtype: float, dims: ['batch', 'patches', config.vision.hiddenSize] };
    case 'query':
      return { dtype: 'F32', dims: ['query_batch', config.numQueryTokens, config.qformer.hiddenSize] };
    case 'words':
      return { dtype: 'F32', dims: ['batch', 'words', config.qformer.hiddenSize] };
    case 'word_bias':
      return { ...wireType(config, wire), dtype: float };
    case 'language_input':
      return { dtype: float, dims: ['batch', config.numQueryTokens, textConfig(config).hiddenSize] };
    case 'hidden': {
      const text = textConfig(config);
      return { dtype: text.family === 't5' ? 'F32' : float, dims: ['batch', 'tokens', text.hiddenSize] };
    }
    case 'decoded':
      return { dtype: float, dims: ['batch', 'tokens', textConfig(config).hiddenSize] };
    case 'encoder_hidden':
      return { dtype: 'F32', dims: ['batch', 'prompt_tokens', textConfig(config).hiddenSize] };
    case 'encoded':
      return { dtype: float, dims: ['batch', 'prompt_tokens', textConfig(config).hiddenSize] };
    case 'encoder_bias':
      return { dtype: float, dims: ['batch', textConfig(config).heads, 'prompt_tokens', 'prompt_tokens'] };
    case 'cross_bias':
      return { dtype: float, dims: ['batch', 1, 'tokens', 'prompt_tokens'] };
    case 'embedded': {
      const text = textConfig(config);
      return { dtype: float, dims: ['batch', 'tokens', text.family === 'opt' ? text.embedSize : text.hiddenSize] };
    }
    case 'position_rows':
      return { dtype: float, dims: ['position_batch', 'tokens', textConfig(config).hiddenSize] };
    case 'cache_positions':
      return { dtype: 'I64', dims: ['batch', 1, 'tokens', 1] };
    case 'attention_bias':
      return { dtype: float, dims: ['bias_rows', 'bias_heads', 'tokens', 'capacity'] };
    case 'distance_bias':
      return { dtype: float, dims: ['bias_heads', 'capacity'] };
    case 'seqlens':
    case 'cross_lengths':
      return { dtype: 'I32', dims: ['batch'] };
    case 'row_shape':
      return { dtype: 'I64', dims: [3] };
    case 'total':
      return { dtype: 'I32', dims: [1] };
    case 'logits':
      return { dtype: 'F32', dims: ['batch', textConfig(config).vocabSize] };
    case 'next_ids':
      return { dtype: 'I32', dims: ['batch', 1] };
    default: {
      const kind = /^(past|present|cross)\./.exec(wire)?.[1];
      if (kind === undefined) return wireType(config, wire);
      const text = textConfig(config);
      const length = kind === 'cross' ? 'prompt_tokens' : 'capacity';
      return { dtype: float, dims: ['batch', text.heads, length, headSize(text)] };
    }
  }
}
