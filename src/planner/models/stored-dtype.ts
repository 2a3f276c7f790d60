/** The dtype that `from_pretrained` takes where none is asked for: what config.json says, else what most of the file is. */
import { tensorBytes, type TensorInfo } from '../../tensor/tensor-info.js';
import type { LoadDtype } from '../../tensor/load-dtype.js';
import { asConfig, stringOf, textConfig } from './model-config.js';

const DTYPES: ReadonlyMap<string, LoadDtype> = new Map([
  ['float16', 'float16'],
  ['bfloat16', 'bfloat16'],
  ['float32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['F32', 'float32'],
]);

export function storedDtype(json: unknown, tensors: ReadonlyMap<string, TensorInfo>): LoadDtype {
  const config = asConfig(json);
  for (const part of [config, textConfig(config)]) {
    const said = DTYPES.get(stringOf(part, 'dtype', 'torch_dtype')?.replace(/^torch\./, '') ?? '');
    if (said !== undefined) return said;
  }
  const bytes = new Map<LoadDtype, number>();
  for (const info of tensors.values()) {
    const dtype = DTYPES.get(info.dtype);
    if (dtype !== undefined) bytes.set(dtype, (bytes.get(dtype) ?? 0) + tensorBytes(info));
  }
  const [most] = [...bytes].sort((a, b) => b[1] - a[1]);
  return most?.[0] ?? 'bfloat16';
}
