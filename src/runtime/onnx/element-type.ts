import { Blip2Error } from '../../errors.js';
import type { Dtype } from '../../tensor/dtype.js';
import { TensorProto_DataType as DataType } from './onnx_pb.js';

/**
 * ONNX's name for each element type that a safetensors file can hold, in the ONNX 1.19 that ONNX Runtime reads: it has none
 * for `F6_E2M3` and `F6_E3M2`.
 */
const ELEMENT_TYPE: Partial<Record<Dtype, DataType>> = {
  F32: DataType.FLOAT,
  U8: DataType.UINT8,
  I8: DataType.INT8,
  U16: DataType.UINT16,
  I16: DataType.INT16,
  I32: DataType.INT32,
  I64: DataType.INT64,
  BOOL: DataType.BOOL,
  F16: DataType.FLOAT16,
  F64: DataType.DOUBLE,
  U32: DataType.UINT32,
  U64: DataType.UINT64,
  C64: DataType.COMPLEX64,
  BF16: DataType.BFLOAT16,
  F8_E4M3: DataType.FLOAT8E4M3FN,
  F8_E4M3FNUZ: DataType.FLOAT8E4M3FNUZ,
  F8_E5M2: DataType.FLOAT8E5M2,
  F8_E5M2FNUZ: DataType.FLOAT8E5M2FNUZ,
  F4: DataType.FLOAT4E2M1,
  F8_E8M0: DataType.FLOAT8E8M0,
};

/** @throws Blip2Error `TENSOR_DTYPE` for an element type that ONNX does not know. */
export function elementType(dtype: Dtype): DataType {
  const type = ELEMENT_TYPE[dtype];
  if (type === undefined) throw new Blip2Error('TENSOR_DTYPE', `ONNX has no element type for ${dtype}`);
  return type;
}
