/**
 * Weights that other programs have packed into small numbers: GPTQ's and AWQ's `qweight` beside `scales`, bitsandbytes'
 * `weight` beside `SCB` or with `weight.absmax` below it, `weight` in 8-bit floats beside `weight_scale_inv`. The floats that
 * belong to them say what the small numbers stand for, in the dtype that the kernels read, and often beyond float16's range.
 */
import type { Dtype } from './dtype.js';
import { quantizedHalf } from './quantized.js';
import type { TensorInfo } from './tensor-info.js';

/** Not I64, U64 and BOOL: positions, counters and masks, which lie beside floats of their own right. */
const PACKED: ReadonlySet<Dtype> = new Set<Dtype>([
  'F4',
  'F6_E2M3',
  'F6_E3M2',
  'U8',
  'I8',
  'F8_E5M2',
  'F8_E4M3',
  'F8_E8M0',
  'F8_E4M3FNUZ',
  'F8_E5M2FNUZ',
  'I16',
  'U16',
  'I32',
  'U32',
]);

/** Tells of a float whether it belongs to a weight in small numbers, of this project or of others, and so has to stay as it is. */
export function packedParts(tensors: ReadonlyMap<string, TensorInfo>): (name: string) => boolean {
  const owners = new Set<string>();
  for (const [name, { dtype, shape }] of tensors) {
    // A vector is a buffer.
    if (PACKED.has(dtype) && shape.length >= 2) owners.add(name).add(parentOf(name));
  }
  owners.delete('');
  return (name) => owners.has(parentOf(name)) || quantizedHalf(name, tensors) !== null;
}

/** The module that a tensor is of, or the tensor that it is named after. */
function parentOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}
