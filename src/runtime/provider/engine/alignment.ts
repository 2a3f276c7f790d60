/** Kernels read weights fastest from addresses that are multiples of this. */
const ALIGNMENT = 256;

export const alignedBytes = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
