/**
 * The element types of the safetensors format, by their names in a file header.
 * Source of names and sizes: `Dtype` in the reference reader (safetensors 0.8, `tensor.rs`).
 */
export const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

export type Dtype = keyof typeof DTYPE_BITS;

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(DTYPE_BITS, name);
}

/** Floating dtypes a model can be loaded as: a target dtype replaces these and leaves integers and booleans alone. */
export function isFloating(dtype: Dtype): boolean {
  return dtype === 'BF16' || dtype.startsWith('F');
}
