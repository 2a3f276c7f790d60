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
  /** The same of recurrent states, which are float32 whatever the model is. */
  readonly fixedFloat32: number;
  /** Tokens that are kept at most; null where all are. */
  readonly window: number | null;
}

const CROSS = /\.(EncDecAttention|encoder_attn|cross_attn|crossattention|cross_attention)\./;
const KEY_OR_VALUE = /\.(k_proj|v_proj|key|value|wk|wv|k|v)\.weight$/;
const FUSED = /\.(qkv_proj|c_attn|query_key_value|qkv|Wqkv|W_pack|att_proj|in_proj_qkv|attn_qkv)\.weight$/;
const OUTPUT = /\.(o_proj|out_proj|c_proj|dense|wo|o)\.weight$/;
const ATTENTION = /(attn|attention)\b/i;
const LATENT = /\.kv_a_proj_with_mqa\.weight$/;
const PACKED = /\.(k_proj|v_proj|qkv_proj|query_key_value)\./;
const CONVOLUTION = /\.(conv1d|[qkv]_conv1d|conv\.conv)\.weight$/;
const DECAY = /\.A_log$/;

/** Keys and values of one call are not kept where the block runs once. */
export const NO_CACHE: CacheShape = { perToken: 0, perEncoded: 0, fixed: 0, fixedFloat32: 0, window: null };

export function cacheShape(name: string, tensors: ReadonlyMap<string, TensorInfo>, config: AnyConfig): CacheShape {
  const text = textConfig(config);
  let perToken = 0;
  let perEncoded = 0;
  let fixed = 0;
  let fixedFloat32 = 0;
  let isPacked = false;
  // Modules whose state is recurrent keep no keys and values.
  const recurrent = [...tensors.keys()].filter((tensor) => DECAY.test(tensor)).map(moduleOf);
  const isLinear = kindOf(name, text) === 'linear_attention';
  for (const [tensor, info] of tensors) {
    const isRecurrent = recurrent.some((module) => tensor.startsWith(`${module}.`));
    const wide = isFloating(info.dtype) && info.shape.length === 2;
    if (CONVOLUTION.test(tensor)) fixed += elementCount(info.shape);
    else if (DECAY.test(tensor)) fixedFloat32 += stateElements(info, tensors, text);
    else if (isRecurrent || isLinear) continue;
    // The latent that keys and values are made of, and the rotated part of the keys.
    else if (LATENT.test(tensor) && wide) perToken += info.shape[0] ?? 0;
    else if (KEY_OR_VALUE.test(tensor) && wide) {
      if (CROSS.test(tensor)) perEncoded += info.shape[0] ?? 0;
      else perToken += info.shape[0] ?? 0;
    } else if (FUSED.test(tensor) && wide) perToken += fusedWidth(info, tensors);
    else if (PACKED.test(tensor)) isPacked = true;
  }
  if (perToken === 0 && isPacked) perToken = configuredWidth(text);
  // Lightning attention sums the products of keys and values, head by head.
  if (isLinear && fixed + fixedFloat32 === 0)
    fixed = headSize(text) * headSize(text) * (numberOf(text, 'num_attention_heads') ?? 0);
  return { perToken, perEncoded, fixed, fixedFloat32, window: windowOf(name, text) };
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

/** Where projections are packed, what config.json says of heads. */
function configuredWidth(text: AnyConfig): number {
  const heads = numberOf(text, 'num_attention_heads', 'n_head') ?? 0;
  const groups = numberOf(text, 'num_key_value_heads') ?? heads;
  return 2 * groups * headSize(text);
}

function headSize(text: AnyConfig): number {
  const heads = numberOf(text, 'num_attention_heads', 'n_head') ?? 0;
  const size = numberOf(text, 'head_dim') ?? (heads === 0 ? 0 : (numberOf(text, 'hidden_size', 'n_embd') ?? 0) / heads);
  return Math.floor(size);
}

/** A recurrent state: of every channel, or of every head. */
function stateElements({ shape }: TensorInfo, tensors: ReadonlyMap<string, TensorInfo>, text: AnyConfig): number {
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
  if (!Array.isArray(text['layer_types'])) return text['sliding_window_pattern'] === undefined ? window : null;
  const kind = kindOf(name, text);
  return kind === 'sliding_attention' || kind === 'chunked_attention' ? window : null;
}

/** What `layer_types` calls the layer; undefined where it calls none. */
function kindOf(name: string, text: AnyConfig): unknown {
  const types = text['layer_types'];
  return Array.isArray(types) ? types[Number(/\.(\d+)$/.exec(name)?.[1] ?? -1)] : undefined;
}

const moduleOf = (tensor: string): string => tensor.slice(0, Math.max(0, tensor.lastIndexOf('.')));
