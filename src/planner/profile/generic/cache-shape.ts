/** What a block keeps between runs, per sequence, read from the shapes of its projections. */
import type { TensorInfo, TensorTable } from '../../../tensor/tensor-info.js';
import { isFloating } from '../../../tensor/dtype.js';
import { numberOf, textConfig, type AnyConfig } from '../../models/model-config.js';
import type { ModelClass } from '../../models/read-model-table.js';
import { isWithin } from '../../map/module-paths.js';
import { compressors, COMPRESSOR, type Compressor } from './compressor.js';
import { recurrentState } from './recurrent-state.js';

export interface CacheShape {
  /** Key and value elements per token of the sequence. */
  readonly perToken: number;
  /** The same per token of what an encoder hands over. */
  readonly perEncoded: number;
  /** Elements of a state that does not grow. */
  readonly fixed: number;
  /** The same of recurrent states, which are float32 whatever the model is. */
  readonly fixedFloat32: number;
  /** Tokens that attention sees at most; null where all are. */
  readonly window: number | null;
  readonly compressors: readonly Compressor[];
}

/** Attention to what an encoder hands over. */
export const CROSS =
  /\.(EncDecAttention|encoder_attn|cross_attn|crossattention|cross_attention|encoder_decoder_attention)\./;
const KEY_OR_VALUE = /\.(k_proj|v_proj|key_proj|value_proj|key|value|wk|wv|Wk|Wv|project_k|project_v|k|v)\.weight$/;
const FUSED = /\.(qkv_proj|c_attn|query_key_value|qkv|Wqkv|W_pack|att_proj|in_proj_qkv|attn_qkv)\.weight$/;
/** Of a fused projection that is split as it is loaded: it goes by the name of its first part. */
const FIRST_PART = /\.q_proj\.weight$/;
const OUTPUT = /\.(o_proj|out_proj|c_proj|dense|wo|o)\.weight$/;
const ATTENTION = /(attn|attention)\b/i;
const LATENT = /\.kv_a_proj_with_mqa\.weight$/;
const PACKED = /\.(k_proj|v_proj|qkv_proj|query_key_value)\./;
/** Keys and values from one projection, or, where a norm of its width follows, one that is both. */
const JOINT = /\.kv_proj\.weight$/;

/** What most blocks keep that run once. */
export const NO_CACHE: CacheShape = {
  perToken: 0,
  perEncoded: 0,
  fixed: 0,
  fixedFloat32: 0,
  window: null,
  compressors: [],
};

/** Whether a block that runs once is of a decoder, which makes a cache for whoever might go on, unless config.json has it otherwise. */
export function keepsOfOnePass(name: string, cls: ModelClass | null, config: AnyConfig): boolean {
  return cls?.keepsCaches === true && textConfig(config)['use_cache'] !== false && isWithin(name, cls.decoder);
}

export function cacheShape(name: string, tensors: TensorTable, config: AnyConfig): CacheShape {
  const text = textConfig(config);
  const isLinear = kindOf(name, text) === 'linear_attention';
  const state = recurrentState(tensors, text);
  let perToken = 0;
  let perEncoded = 0;
  let isPacked = false;
  for (const [tensor, info] of tensors) {
    if (isLinear || state.isOf(tensor) || COMPRESSOR.test(tensor)) continue;
    const wide = isFloating(info.dtype) && info.shape.length === 2;
    // The latent that keys and values are made of, and the rotated part of the keys.
    if (LATENT.test(tensor) && wide) perToken += info.shape[0] ?? 0;
    else if (KEY_OR_VALUE.test(tensor) && wide) {
      if (CROSS.test(tensor)) perEncoded += info.shape[0] ?? 0;
      else perToken += info.shape[0] ?? 0;
    } else if (JOINT.test(tensor) && wide) perToken += jointWidth(tensor, info, tensors);
    // Keys and values of what an encoder hands over: queries are not of it.
    else if (CROSS.test(tensor) && FUSED.test(tensor) && wide) perEncoded += Math.max(...info.shape);
    else if (FUSED.test(tensor) && wide) perToken += fusedWidth(info, tensors);
    else if (FIRST_PART.test(tensor) && wide && !tensors.has(tensor.replace('q_proj', 'k_proj')))
      perToken += fusedWidth(info, tensors);
    else if (PACKED.test(tensor)) isPacked = true;
  }
  if (perToken === 0 && isPacked) perToken = configuredWidth(text);
  const { elements, float32Elements } = state;
  // Lightning attention sums the products of keys and values, head by head.
  const isSummed = isLinear && elements + float32Elements === 0;
  return {
    perToken,
    perEncoded,
    fixed: isSummed ? headSize(text) ** 2 * (numberOf(text, 'num_attention_heads') ?? 0) : elements,
    fixedFloat32: float32Elements,
    window: windowOf(name, text),
    compressors: compressors(tensors),
  };
}

function jointWidth(name: string, { shape: [rows = 0] }: TensorInfo, tensors: TensorTable): number {
  const isBoth = tensors.get(name.replace('kv_proj', 'kv_norm'))?.shape[0] === rows;
  // Kept twice, but for layers with compressors (transformers 5.24).
  return isBoth && compressors(tensors).length === 0 ? 2 * rows : rows;
}

/** A fused projection holds the queries too: they are as wide as what the output projection takes in. */
function fusedWidth(fused: TensorInfo, tensors: TensorTable): number {
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

/** The sliding window of this layer: all layers have it where none is named otherwise. */
function windowOf(name: string, text: AnyConfig): number | null {
  const window = numberOf(text, 'sliding_window', 'attention_window_size', 'attention_chunk_size');
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
