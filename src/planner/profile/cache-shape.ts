/** What a block keeps between runs, per sequence, read from the shapes of its projections. */
import { type TensorInfo, elementCount } from '../../tensor/tensor-info.js';
import { isFloating } from '../../tensor/dtype.js';
import { numberOf, textConfig, type AnyConfig } from '../models/model-config.js';

export interface CacheShape {
  /** Key and value elements per token of the sequence. */
  readonly perToken: number;
  /** The same per token of what an encoder hands over. */
  readonly perEncoded: number;
  /** Elements of a state that does not grow. */
  readonly fixed: number;
  /** Tokens that are kept at most; null where all are. */
  readonly window: number | null;
}

const CROSS = /\.(EncDecAttention|encoder_attn|cross_attn|crossattention|cross_attention)\./;
const KEY_OR_VALUE = /\.(k_proj|v_proj|key|value|wk|wv|k|v)\.weight$/;
const FUSED = /\.(qkv_proj|c_attn|query_key_value|qkv|Wqkv|W_pack|att_proj|in_proj_qkv|attn_qkv)\.weight$/;
const OUTPUT = /\.(o_proj|out_proj|c_proj|dense|wo|o)\.weight$/;
const ATTENTION = /(attn|attention)\b/i;
const LATENT = /\.kv_b_proj\.weight$/;
const LATENT_INPUT = /\.kv_a_proj_with_mqa\.weight$/;
const PACKED = /\.(k_proj|v_proj|qkv_proj|query_key_value)\./;
const STATE = /\.(A_log|conv1d\.weight)$/;

/** Keys and values of one call are not kept where the block runs once. */
export const NO_CACHE: CacheShape = { perToken: 0, perEncoded: 0, fixed: 0, window: null };

export function cacheShape(name: string, tensors: ReadonlyMap<string, TensorInfo>, config: AnyConfig): CacheShape {
  const text = textConfig(config);
  let perToken = 0;
  let perEncoded = 0;
  let fixed = 0;
  let isPacked = false;
  for (const [tensor, info] of tensors) {
    const wide = isFloating(info.dtype) && info.shape.length === 2;
    if (STATE.test(tensor)) fixed += stateElements(tensor, info, tensors, text);
    else if (LATENT.test(tensor) && wide) perToken += latentWidth(info, tensors, text);
    else if (KEY_OR_VALUE.test(tensor) && wide) {
      if (CROSS.test(tensor)) perEncoded += info.shape[0] ?? 0;
      else perToken += info.shape[0] ?? 0;
    } else if (FUSED.test(tensor) && wide) perToken += fusedWidth(info, tensors);
    else if (PACKED.test(tensor)) isPacked = true;
  }
  if (perToken === 0 && isPacked) perToken = configuredWidth(text);
  return { perToken, perEncoded, fixed, window: windowOf(name, text) };
}

/** A fused projection holds the queries too: they are as wide as what the output projection takes in. */
function fusedWidth(fused: TensorInfo, tensors: ReadonlyMap<string, TensorInfo>): number {
  const [rows = 0, columns = 0] = fused.shape;
  const output = [...tensors].find(
    ([name, { shape }]) => OUTPUT.test(name) && ATTENTION.test(name) && shape.length === 2,
  );
  // GPT-2 stores inputs first, as wide as the model.
  const [outer = 0, inner = 0] = output?.[1].shape ?? [];
  const queries = outer === inner || columns <= rows ? inner : outer;
  return Math.max(0, Math.max(rows, columns) - (queries || Math.min(rows, columns)));
}

/** transformers keeps the keys and values that a latent is expanded to, with the rotated part of the keys for every head. */
function latentWidth(expanding: TensorInfo, tensors: ReadonlyMap<string, TensorInfo>, text: AnyConfig): number {
  const [rows = 0, rank = 0] = expanding.shape;
  const input = [...tensors].find(([name]) => LATENT_INPUT.test(name))?.[1].shape[0] ?? rank;
  return rows + (numberOf(text, 'num_attention_heads') ?? 0) * Math.max(0, input - rank);
}

/** Where projections are packed, what config.json says of heads. */
function configuredWidth(text: AnyConfig): number {
  const heads = numberOf(text, 'num_attention_heads', 'n_head') ?? 0;
  const groups = numberOf(text, 'num_key_value_heads') ?? heads;
  const size = numberOf(text, 'head_dim') ?? (heads === 0 ? 0 : (numberOf(text, 'hidden_size', 'n_embd') ?? 0) / heads);
  return 2 * groups * Math.floor(size);
}

/** A convolution's last inputs, and a recurrent state: of every channel, or of every head. */
function stateElements(
  name: string,
  { shape }: TensorInfo,
  tensors: ReadonlyMap<string, TensorInfo>,
  text: AnyConfig,
): number {
  if (name.endsWith('conv1d.weight')) return elementCount(shape);
  if (shape.length === 2) return elementCount(shape);
  const keys = numberOf(text, 'linear_key_head_dim');
  const values = numberOf(text, 'linear_value_head_dim');
  const heads = shape[0] ?? 0;
  if (keys !== null && values !== null) return heads * keys * values;
  const size = numberOf(text, 'state_size', 'ssm_state_size', 'mamba_d_state') ?? 0;
  const output = [...tensors].find(([each]) => each.endsWith('.out_proj.weight'))?.[1].shape[1] ?? 0;
  return output * size;
}

/** The sliding window of this layer: all layers have it where none is named otherwise. */
function windowOf(name: string, text: AnyConfig): number | null {
  const window = numberOf(text, 'sliding_window', 'attention_chunk_size');
  if (window === null || text['use_sliding_window'] === false) return null;
  const types = text['layer_types'];
  if (!Array.isArray(types)) return text['sliding_window_pattern'] === undefined ? window : null;
  const kind: unknown = types[Number(/\.(\d+)$/.exec(name)?.[1] ?? -1)];
  return kind === 'sliding_attention' || kind === 'chunked_attention' ? window : null;
}
