/** The weights of a checkpoint as a person counts them: a weight in small integers is one, though two tensors hold it. Pure. */
import {
  quantizedHalf,
  quantizedInfos,
  quantizedNames,
  storedBlockSize,
  type QuantScheme,
} from '../../tensor/quantized.js';
import { tensorBytes, type TensorInfo } from '../../tensor/tensor-info.js';

export type StoredWeight<T extends TensorInfo> =
  | { readonly kind: 'plain'; readonly tensor: T }
  | {
      readonly kind: 'quantized';
      readonly scheme: QuantScheme;
      readonly blockSize: number;
      readonly values: T;
      readonly scales: T;
    };

/** By the weights' names, in the order of the tensors. */
export function storedWeights<T extends TensorInfo>(tensors: ReadonlyMap<string, T>): Map<string, StoredWeight<T>> {
  const weights = new Map<string, StoredWeight<T>>();
  for (const [name, tensor] of tensors) {
    const half = quantizedHalf(name, tensors);
    const pair = half === null ? null : pairOf(half.weight, half.scheme, tensors);
    if (half === null || pair === null) weights.set(name, { kind: 'plain', tensor });
    else if (!tensors.has(half.weight)) weights.set(half.weight, pair);
    // Floats and integers of one weight: both are there, each under a name of its own.
    else weights.set(quantizedNames(half.weight, half.scheme).values, pair);
  }
  return weights;
}

function pairOf<T extends TensorInfo>(
  weight: string,
  scheme: QuantScheme,
  tensors: ReadonlyMap<string, T>,
): StoredWeight<T> | null {
  const names = quantizedNames(weight, scheme);
  const values = tensors.get(names.values);
  const scales = tensors.get(names.scales);
  if (values === undefined || scales === undefined || pairFault(values, scales, scheme) !== null) return null;
  return { kind: 'quantized', scheme, blockSize: storedBlockSize(values, scheme), values, scales };
}

/** What is wrong with the dtypes and shapes of two tensors that are named as one weight; null where nothing is. */
export function pairFault(values: TensorInfo, scales: TensorInfo, scheme: QuantScheme): string | null {
  const [rows = 0, blocks = 0] = values.shape;
  const blockSize = storedBlockSize(values, scheme);
  const expected = quantizedInfos([rows, blocks * blockSize], scheme, blockSize);
  const powerOfTwo = blockSize >= 16 && Number.isInteger(Math.log2(blockSize));
  if (values.shape.length !== 3 || !powerOfTwo)
    return `has integers of shape ${list(values)}: [rows, blocks, bytes] with blocks of 16, 32, 64, ... weights are meant`;
  for (const [what, found, meant] of [
    ['integers', values, expected.values],
    ['scales', scales, expected.scales],
  ] as const) {
    if (found.dtype !== meant.dtype || list(found) !== list(meant))
      return `has ${what} ${found.dtype} ${list(found)}; ${meant.dtype} ${list(meant)} is meant`;
  }
  return null;
}

const list = ({ shape }: TensorInfo): string => `[${shape.join(', ')}]`;

/** Bytes of the file that a weight takes. */
export function weightBytes(weight: StoredWeight<TensorInfo>): number {
  return weight.kind === 'plain' ? tensorBytes(weight.tensor) : tensorBytes(weight.values) + tensorBytes(weight.scales);
}

/** `[out, in]`; where it is quantised, `in` is counted up to whole blocks, for the file does not say how full the last is. */
export function weightShape(weight: StoredWeight<TensorInfo>): readonly number[] {
  if (weight.kind === 'plain') return weight.tensor.shape;
  const [rows = 0, blocks = 0] = weight.values.shape;
  return [rows, blocks * weight.blockSize];
}

/** `F16`, `int8`: the dtype, or the scheme. */
export function weightDtype(weight: StoredWeight<TensorInfo>): string {
  return weight.kind === 'plain' ? weight.tensor.dtype : weight.scheme;
}
