/**
 * The dtype that `from_pretrained` takes where none is asked for: what config.json says at its top, else that of the first float
 * by name in the first file (`_get_dtype`, transformers 5.24): one float32 tensor there makes all of the model float32.
 */
import { tensorBytes, type TensorInfo } from '../../tensor/tensor-info.js';
import type { LoadDtype } from '../../tensor/load-dtype.js';
import { asConfig, stringOf } from './model-config.js';

const DTYPES: ReadonlyMap<string, LoadDtype> = new Map([
  ['float16', 'float16'],
  ['bfloat16', 'bfloat16'],
  ['float32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['F32', 'float32'],
]);

/** Tensors that may say which file they are in, file by file in the order of the files' names. */
type Stored = ReadonlyMap<string, TensorInfo & { readonly file?: string }>;

export function storedDtype(json: unknown, tensors: Stored): LoadDtype {
  return saidDtype(json) ?? firstFloat(tensors)?.dtype ?? 'bfloat16';
}

/** What to know where the first tensor decides and most of the others are of another dtype; null where they agree. */
export function dtypeNote(json: unknown, tensors: Stored): string | null {
  const first = firstFloat(tensors);
  const most = mostOf(tensors);
  if (first === null || saidDtype(json) !== null || most === null || first.dtype === most) return null;
  return (
    `config.json names no dtype, so transformers loads all in ${first.dtype}, that of ${first.name}; ` +
    `most of the file is ${most}, which it takes where it is asked to.`
  );
}

function saidDtype(json: unknown): LoadDtype | null {
  const config = asConfig(json);
  // One for each part is read for the whole of the model.
  const said =
    stringOf(config, 'dtype', 'torch_dtype') ?? stringOf(asConfig(config['dtype'] ?? config['torch_dtype']), '');
  return DTYPES.get(said?.replace(/^torch\./, '') ?? '') ?? null;
}

function firstFloat(tensors: Stored): { readonly name: string; readonly dtype: LoadDtype } | null {
  let file: string | undefined;
  let first: { readonly name: string; readonly dtype: LoadDtype } | null = null;
  for (const [name, info] of tensors) {
    file ??= info.file;
    if (info.file !== file) break;
    const dtype = DTYPES.get(info.dtype);
    if (dtype !== undefined && (first === null || name < first.name)) first = { name, dtype };
  }
  return first;
}

function mostOf(tensors: Stored): LoadDtype | null {
  const bytes = new Map<LoadDtype, number>();
  for (const info of tensors.values()) {
    const dtype = DTYPES.get(info.dtype);
    if (dtype !== undefined) bytes.set(dtype, (bytes.get(dtype) ?? 0) + tensorBytes(info));
  }
  const [most] = [...bytes].sort((a, b) => b[1] - a[1]);
  return most?.[0] ?? null;
}
