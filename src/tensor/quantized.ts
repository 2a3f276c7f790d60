/**
 * Weight-only quantisation: a linear weight `[out, in]` as small unsigned integers in blocks along its rows, with one
 * float16 scale per block. The bytes are those that ONNX Runtime's `MatMulNBits` reads, so a shard feeds it unchanged:
 * value = (integer - 2^(bits - 1)) * scale; of two 4-bit integers in a byte the first is the low one; the last block of a
 * row is padded with the integer that means zero.
 * Source: `MatMulNBits` in ONNX Runtime's ContribOperators.md, without zero points.
 */
import type { TensorInfo } from './tensor-info.js';

export const QUANT_SCHEMES = ['int8', 'int4'] as const;

/** Whole numbers that a weight is stored as, with a scale per block. */
export type QuantScheme = (typeof QUANT_SCHEMES)[number];

export const QUANT_BITS: Readonly<Record<QuantScheme, number>> = { int8: 8, int4: 4 };

/** Weights that share a scale where this project quantises; files may have other blocks, which their shapes tell. */
export const QUANT_BLOCK_SIZE: Readonly<Record<QuantScheme, number>> = { int8: 32, int4: 64 };

export interface QuantizedNames {
  readonly values: string;
  readonly scales: string;
}

/** `fc1.weight` is stored as `fc1.weight.int8` and `fc1.weight.int8_scales`: under the module's path, like the weight. */
export function quantizedNames(weight: string, scheme: QuantScheme): QuantizedNames {
  return { values: `${weight}.${scheme}`, scales: `${weight}.${scheme}_scales` };
}

/** Values U8 `[out, blocks, bytes of a block]` and scales F16 `[out, blocks]` of a weight `[out, in]`. */
export function quantizedInfos(
  shape: readonly number[],
  scheme: QuantScheme,
  blockSize = QUANT_BLOCK_SIZE[scheme],
): { readonly values: TensorInfo; readonly scales: TensorInfo } {
  const [rows = 0, columns = 0] = shape;
  const blocks = Math.ceil(columns / blockSize);
  return {
    values: { dtype: 'U8', shape: [rows, blocks, (blockSize * QUANT_BITS[scheme]) / 8] },
    scales: { dtype: 'F16', shape: [rows, blocks] },
  };
}

/** The scheme that a table of tensors holds a weight in; null where it is stored as floats, or not at all. */
export function storedScheme(tensors: Pick<ReadonlyMap<string, unknown>, 'has'>, weight: string): QuantScheme | null {
  return QUANT_SCHEMES.find((scheme) => tensors.has(quantizedNames(weight, scheme).values)) ?? null;
}

/** The weights that share a scale, from the shape of the values. */
export function storedBlockSize(values: TensorInfo, scheme: QuantScheme): number {
  return ((values.shape[2] ?? 0) * 8) / QUANT_BITS[scheme];
}

export interface QuantizedHalf {
  readonly weight: string;
  readonly scheme: QuantScheme;
  readonly half: keyof QuantizedNames;
}

/** The quantised weight that a tensor of this name is one half of; null for any other name. */
export function parseQuantizedName(name: string): QuantizedHalf | null {
  for (const scheme of QUANT_SCHEMES) {
    for (const half of ['values', 'scales'] as const) {
      const suffix = quantizedNames('', scheme)[half];
      if (name.endsWith(suffix)) return { weight: name.slice(0, -suffix.length), scheme, half };
    }
  }
  return null;
}

/** The same, only where the table of tensors has both halves. */
export function quantizedHalf(name: string, tensors: Pick<ReadonlyMap<string, unknown>, 'has'>): QuantizedHalf | null {
  const half = parseQuantizedName(name);
  if (half === null) return null;
  const { values, scales } = quantizedNames(half.weight, half.scheme);
  return tensors.has(values) && tensors.has(scales) ? half : null;
}
