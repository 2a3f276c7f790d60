/** What a new file is made of: tensors of other files, as they are, in another dtype, or in small integers. Pure. */
import { Blip2Error } from '../../errors.js';
import type { Dtype } from '../../tensor/dtype.js';
import { quantizedInfos, quantizedNames, type QuantizedNames, type QuantScheme } from '../../tensor/quantized.js';
import { tensorBytes, type TensorInfo } from '../../tensor/tensor-info.js';
import type { StoredTensor } from '../format/stored-tensor.js';
import { convertFloats } from '../convert/convert-floats.js';
import { checkQuantizable } from '../convert/quantize-floats.js';
import { quote } from '../format/quote.js';

/** A tensor of the new file: where its bytes come from, and the dtype it is to have. */
export interface ShardTensor {
  readonly source: StoredTensor;
  readonly dtype: Dtype;
  /** Set where the tensor is one half of a weight in small integers; see `quantizedTensors`. */
  readonly quantized?: { readonly scheme: QuantScheme; readonly half: keyof QuantizedNames };
}

/** The two tensors of a weight `[out, in]` in small integers, by their names. */
export function quantizedTensors(
  name: string,
  source: StoredTensor,
  scheme: QuantScheme,
): [[string, ShardTensor], [string, ShardTensor]] {
  const names = quantizedNames(name, scheme);
  return [
    [names.values, { source, dtype: 'U8', quantized: { scheme, half: 'values' } }],
    [names.scales, { source, dtype: 'F16', quantized: { scheme, half: 'scales' } }],
  ];
}

/** dtype and shape in the new file. */
export function writtenInfo({ source, dtype, quantized }: ShardTensor): TensorInfo {
  return quantized === undefined
    ? { dtype, shape: source.shape }
    : quantizedInfos(source.shape, quantized.scheme)[quantized.half];
}

/** Bytes of data that a shard of these tensors has, without its header. */
export function shardDataBytes(tensors: Iterable<ShardTensor>): number {
  let sum = 0;
  for (const tensor of tensors) sum += tensorBytes(writtenInfo(tensor));
  return sum;
}

/** @throws Blip2Error `CONVERSION_UNSUPPORTED` where the tensor cannot be had so. */
export function checkConversion(name: string, { source, dtype, quantized }: ShardTensor): void {
  if (quantized === undefined) {
    convertFloats(new Uint8Array(0), source.dtype, new Uint8Array(0), dtype);
    return;
  }
  checkQuantizable(source.dtype);
  if (source.shape.length === 2) return;
  const shape = `[${source.shape.join(', ')}]`;
  throw new Blip2Error('CONVERSION_UNSUPPORTED', `${quote(name)} has shape ${shape}: only matrices are quantised.`, {
    details: { tensor: name, shape: source.shape },
  });
}
