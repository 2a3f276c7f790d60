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
  ['half', 'float16'],
  ['float', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['F32', 'float32'],
]);

/** Tensors that may say which file they are in, file by file in the order of the files' names. */
type Stored = ReadonlyMap<string, TensorInfo & { readonly file?: string }>;

export function storedDtype(json: unknown, tensors: Stored): LoadDtype {
  return knownDtype(json) ?? firstFloat(tensors)?.dtype ?? 'bfloat16';
}

/** What an index says where config.json does not: transformers takes it before it looks at a tensor. @param named in the index */
export function indexedDtype(json: unknown, named: string | undefined): LoadDtype | undefined {
  return named === undefined || saidDtype(json) !== null ? undefined : DTYPES.get(named);
}

/** What to know where config.json names a dtype that is not counted, or the first tensor decides and most others are of another; else null. */
export function dtypeNote(json: unknown, tensors: Stored): string | null {
  const first = firstFloat(tensors);
  const most = mostOf(tensors);
  const said = saidDtype(json);
  if (said !== null && knownDtype(json) === null)
    return `config.json names the dtype ${said}, which is not counted: sizes are those of ${storedDtype(json, tensors)}.`;
  if (first === null || said !== null || most === null || first.dtype === most) return null;
  return (
    `config.json names no dtype, so transformers loads all in ${first.dtype}, that of ${first.name}; ` +
    `most of the file is ${most}, which it takes where it is asked to.`
  );
}

function knownDtype(json: unknown): LoadDtype | null {
  return DTYPES.get(saidDtype(json)?.replace(/^torch\./, '') ?? '') ?? null;
}

function saidDtype(json: unknown): string | null {
  const config = asConfig(json);
  const parts = config['dtype'] ?? config['torch_dtype'];
  // Of one for each part, that of the whole is read for all.
  if (typeof parts === 'object' && parts !== null) return stringOf(asConfig(parts), '') ?? 'float32';
  return stringOf(config, 'dtype', 'torch_dtype');
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
