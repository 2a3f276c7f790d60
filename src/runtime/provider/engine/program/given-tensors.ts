/** Inputs of a run that the host has as tensors. */
import type { Tensor } from 'onnxruntime-node';
import { wireOf, type Wires } from '../../../session/kv-cache.js';
import type { WireType } from './wire-type.js';

/** Tensors of ids are int64, all others float32. */
export function typesOf(given: Wires): Map<string, WireType> {
  const typeOf = ({ type, dims }: Tensor): WireType => ({ dtype: type === 'int64' ? 'I64' : 'F32', dims });
  return new Map([...given].map(([wire, tensor]) => [wire, typeOf(tensor)]));
}

/** Writes them where a run asks for them. */
export const fillFrom =
  (given: Wires) =>
  (wire: string, target: Uint8Array): void => {
    const { buffer, byteOffset } = wireOf(given, wire).data as Float32Array | BigInt64Array;
    target.set(new Uint8Array(buffer, byteOffset, target.length));
  };
