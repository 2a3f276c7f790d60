/** Inputs of a run that the host has as tensors. */
import type { Tensor } from 'onnxruntime-node';
import { wireOf, type Wires } from '../../model/kv-cache.js';
import type { Dtype } from '../../../../tensor/dtype.js';
import type { WireType } from './wire-type.js';

/** Tensors of ids are int64, all others floats. */
export function typesOf(given: Wires): Map<string, WireType> {
  const typeOf = ({ type, dims }: Tensor): WireType => ({ dtype: DTYPES.get(type) ?? 'F32', dims });
  return new Map([...given].map(([wire, tensor]) => [wire, typeOf(tensor)]));
}

const DTYPES: ReadonlyMap<Tensor['type'], Dtype> = new Map([
  ['int64', 'I64'],
  ['float16', 'F16'],
]);

/** Writes them where a run asks for them. */
export const fillFrom =
  (given: Wires) =>
  (wire: string, target: Uint8Array): void => {
    const { buffer, byteOffset } = wireOf(given, wire).data as Float32Array | Uint16Array | BigInt64Array;
    target.set(new Uint8Array(buffer, byteOffset, target.length));
  };
