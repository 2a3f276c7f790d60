/** What single tensors weigh once they are loaded, by the module that holds them. */
import { Blip2Error } from '../../../errors.js';
import type { QuantizableWeight } from '../../../model/quantizable-weights.js';
import { isFloating } from '../../../tensor/dtype.js';
import { QUANT_SCHEMES, quantizedInfos, quantizedNames, type QuantScheme } from '../../../tensor/quantized.js';
import { elementCount, tensorBytes, type TensorInfo, type TensorTable } from '../../../tensor/tensor-info.js';
import { loadedBytes, type DtypeRules } from '../loaded-dtype.js';
import { parentOf } from '../../map/module-paths.js';

export interface TensorSize {
  readonly name: string;
  /** Path of the module that holds the tensor. */
  readonly module: string;
  /** Once loaded. */
  readonly bytes: number;
  /** On a CPU: floats as float32, and for every scale of a quantised weight its block's sum beside it. */
  readonly float32Bytes: number;
  readonly elements: number;
  readonly quantized: boolean;
}

const QUANTIZED = new RegExp(`\\.(${QUANT_SCHEMES.join('|')})(_scales)?$`);

export function sizesOf(tensors: TensorTable, names: readonly string[], rules: DtypeRules): TensorSize[] {
  return names.map((name) => sizeOf(name, infoOf(tensors, name), rules));
}

/** The sizes of a block whose `weights` are stored under `scheme`, all else as it is. */
export function quantizedSizes(
  sizes: readonly TensorSize[],
  weights: readonly QuantizableWeight[],
  scheme: QuantScheme,
  tensors: TensorTable,
  rules: DtypeRules,
): TensorSize[] {
  const replaced = new Set(weights.map(({ name }) => name));
  return [
    ...sizes.filter(({ name }) => !replaced.has(name)),
    ...weights.flatMap(({ name, source }) => {
      const names = quantizedNames(name, scheme);
      const infos = quantizedInfos(infoOf(tensors, source).shape, scheme);
      return [sizeOf(names.values, infos.values, rules), sizeOf(names.scales, infos.scales, rules)];
    }),
  ];
}

export function bytesOf(sizes: readonly TensorSize[]): number {
  return sizes.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Bytes of the largest module. */
export function largestLeaf(sizes: readonly TensorSize[]): number {
  const leaves = new Map<string, number>();
  for (const { module, bytes } of sizes) leaves.set(module, (leaves.get(module) ?? 0) + bytes);
  return Math.max(0, ...leaves.values());
}

function sizeOf(name: string, info: TensorInfo, rules: DtypeRules): TensorSize {
  const quantized = (info.dtype === 'U8' || name.endsWith('_scales')) && QUANTIZED.test(name);
  const weight = quantized ? name.replace(QUANTIZED, '') : name;
  return {
    name,
    module: parentOf(weight),
    bytes: loadedBytes(name, info, rules),
    float32Bytes: isFloating(info.dtype) ? (quantized ? 8 : 4) * elementCount(info.shape) : tensorBytes(info),
    elements: elementCount(info.shape),
    quantized,
  };
}

/** @throws Blip2Error `TENSOR_NOT_FOUND` */
export function infoOf(tensors: TensorTable, name: string): TensorInfo {
  const info = tensors.get(name);
  if (info === undefined) throw new Blip2Error('TENSOR_NOT_FOUND', `The checkpoint has no tensor ${name}.`);
  return info;
}
