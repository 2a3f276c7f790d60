/**
 * The dtype a tensor has once it is loaded, which is what memory is counted in: every floating tensor takes the target
 * dtype, whatever the file stores; integers and booleans keep theirs.
 *
 * Loading in float16 leaves some BLIP-2 modules in float32: transformers 5 lists `query_tokens` and `qformer`
 * (`_keep_in_fp32_modules` of BLIP-2; of InstructBLIP only the first) and the T5 feed-forward output `wo` (of T5). `blip2-run` multiplies with the
 * Q-Former's matrices in float16: it keeps what is summed and normed.
 * bfloat16 has no exceptions.
 */
import { type Dtype, DTYPE_BITS, isFloating } from '../../tensor/dtype.js';
import { STORED_AS, type LoadDtype } from '../../tensor/load-dtype.js';
import { type TensorInfo, tensorBytes, type TensorTable } from '../../tensor/tensor-info.js';
import { longestPrefix } from '../map/longest-prefix.js';
import type { Float32Rule } from '../models/read-model-table.js';

const KEPT_IN_FLOAT32 = {
  'blip-2': /^(query_tokens|qformer)(\.|$)|^language_model\..*\.wo\./,
  instructblip: /^query_tokens(\.|$)|^language_model\..*\.wo\./,
  // Of sums and norms between its layers, the Q-Former keeps float32.
  'blip2-run':
    /^query_tokens(\.|$)|^qformer\.(.*\.)?(LayerNorm|layernorm)\.|^qformer\..*\.output(_query)?\.dense\.bias$|^language_model\..*\.wo\./,
} as const;

/** In what dtypes a model is loaded. */
export interface AskedDtypes {
  readonly dtype: LoadDtype;
  /** Module path -> dtype; the longest path that contains a tensor wins over `dtype` and over the float32 exceptions. */
  readonly overrides?: ReadonlyMap<string, LoadDtype> | undefined;
}

export interface DtypeRules extends AskedDtypes {
  /** Whose float32 exceptions apply (only in float16); null for a model that has none. */
  readonly blip2: keyof typeof KEPT_IN_FLOAT32 | null;
  /** When a tensor of another model is loaded in float32 all the same. */
  readonly float32?: ((name: string) => Float32Rule) | undefined;
  /**
   * Of a quantised checkpoint, whether a tensor is one that the model has unquantised too. Others (scales, and the like), and
   * floats of less than 16 bits, are loaded as they are stored. Absent where nothing is quantised.
   */
  readonly isPlain?: ((name: string) => boolean) | undefined;
}

/** The dtype of `name` after loading. */
export function loadedDtype(name: string, stored: Dtype, rules: DtypeRules): Dtype {
  if (!isFloating(stored)) return stored;
  const override = rules.overrides === undefined ? undefined : longestPrefix(rules.overrides, name);
  if (override !== undefined) return STORED_AS[override];
  if (rules.isPlain !== undefined && (DTYPE_BITS[stored] < 16 || !rules.isPlain(name))) return stored;
  const kept = rules.float32?.(name) ?? 'never';
  if (kept === 'always' || (kept === 'in float16' && rules.dtype === 'float16')) return 'F32';
  if (rules.blip2 !== null && rules.dtype === 'float16' && KEPT_IN_FLOAT32[rules.blip2].test(name)) return 'F32';
  return STORED_AS[rules.dtype];
}

/** Whether a tensor is loaded in another dtype than the model's. */
export function keepsItsDtype(name: string, stored: Dtype, rules: DtypeRules): boolean {
  const loaded = loadedDtype(name, stored, rules);
  return isFloating(stored) && DTYPE_BITS[loaded] >= 16 && loaded !== STORED_AS[rules.dtype];
}

/** Bytes of a tensor once loaded under `rules`. */
export function loadedBytes(name: string, tensor: TensorInfo, rules: DtypeRules): number {
  return tensorBytes(tensor, loadedDtype(name, tensor.dtype, rules));
}

/** Bytes of those of some tensors that are there, once loaded under `rules`. */
export function loadedBytesOf(names: Iterable<string>, tensors: TensorTable, rules: DtypeRules): number {
  let bytes = 0;
  for (const name of names) {
    const info = tensors.get(name);
    if (info !== undefined) bytes += loadedBytes(name, info, rules);
  }
  return bytes;
}
