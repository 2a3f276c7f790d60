import { Blip2Error } from '../../errors.js';
import type { Dtype } from '../../tensor/dtype.js';

/**
 * ONNX's number for each element type that a safetensors file can hold (`TensorProto.DataType`, ONNX 1.19).
 * `F6_E2M3` and `F6_E3M2` have none.
 */
const ELEMENT_TYPE: Partial<Record<Dtype, number>> = {
  F32: 1,
  U8: 2,
  I8: 3,
  U16: 4,
  I16: 5,
  I32: 6,
  I64: 7,
  BOOL: 9,
  F16: 10,
  F64: 11,
  U32: 12,
  U64: 13,
  C64: 14,
  BF16: 16,
  F8_E4M3: 17,
  F8_E4M3FNUZ: 18,
  F8_E5M2: 19,
  F8_E5M2FNUZ: 20,
  F4: 23,
  F8_E8M0: 24,
};

/** @throws Blip2Error `DTYPE_NOT_IN_ONNX` for an element type that ONNX does not know. */
export function elementType(dtype: Dtype): number {
  const type = ELEMENT_TYPE[dtype];
  if (type === undefined) throw new Blip2Error('DTYPE_NOT_IN_ONNX', `ONNX has no element type for ${dtype}`);
  return type;
}
