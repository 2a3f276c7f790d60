/**
 * The values that flow between the blocks of BLIP-2, by name. A wire is what a cut between two devices carries, so
 * each has one type wherever the model is cut. Activations are rows `[batch * tokens, width]`, as `Gemm` takes them.
 */
import type { Blip2Config } from '../../model/blip2-config.js';
import type { ValueType } from '../onnx/graph-builder.js';

/** Key and value of one decoder layer, as far as they are computed: `[batch, heads, length, headSize]`. */
export type CachePart = 'key' | 'value';

export const pastWire = (layer: number, part: CachePart): string => `past.${layer}.${part}`;
export const presentWire = (layer: number, part: CachePart): string => `present.${layer}.${part}`;

export function wireType(config: Blip2Config, name: string): ValueType {
  const { vision, qformer, text, numQueryTokens } = config;
  switch (name) {
    case 'pixel_values':
      return float(['batch', vision.channels, 'height', 'width']);
    case 'vision':
      return float(['vision_rows', vision.hiddenSize]);
    case 'query':
      return float(['query_rows', qformer.hiddenSize]);
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
    default: {
      if (text.family === 'opt' && /^(past|present)\.\d+\.(key|value)$/.test(name)) {
        const length = name.startsWith('past') ? 'past_length' : 'length';
        return float(['batch', text.heads, length, text.hiddenSize / text.heads]);
      }
      throw new Error(`no wire is called ${name}`);
    }
  }
}

function float(dims: ValueType['dims']): ValueType {
  return { dtype: 'F32', dims };
}
