/**
 * Memory that the kernels work in: a window that bytes pass in pieces, which stays in the processor's cache, and room for the
 * caller, whose bytes are converted where they lie.
 */
import FLOAT_KERNELS from './float-kernels.wasm.js';
import QUANT_KERNELS from './quant-kernels.wasm.js';

/** `float-kernels.as.ts` says what each does. Addresses are in bytes. */
type FloatKernel = (source: number, end: number, target: number) => void;
/** `quant-kernels.as.ts` says what each does. */
type QuantKernel = (source: number, blocks: number, values: number, scales: number) => number;

export interface Kernels {
  readonly float32ToFloat16: FloatKernel;
  readonly float16ToFloat32: FloatKernel;
  readonly float32ToBfloat16: FloatKernel;
  readonly bfloat16ToFloat32: FloatKernel;
  readonly float16ToBfloat16: FloatKernel;
  /** Finite values that `float32ToFloat16` has made infinite in this memory. */
  readonly overflowed: { value: number };
  readonly quantizeInt8: QuantKernel;
  readonly quantizeInt4: QuantKernel;
}

/** Values that pass at a time: three areas of 64 KiB stay within the smallest second-level caches, of 256 KiB. */
export const WINDOW_VALUES = 16 * 1024;
/** Addresses whose last 12 bits are equal slow a copy between them down to a quarter (x86 takes them for the same). */
export const ALIAS_BYTES = 4096;
/** float32 of a window, and room to begin where the addresses differ. */
export const AREA_BYTES = 4 * WINDOW_VALUES + ALIAS_BYTES;
const WINDOW_BYTES = 3 * AREA_BYTES;
const PAGE_BYTES = 65_536;

let modules: readonly WebAssembly.Module[] | undefined;

/** Memory of kernels in WebAssembly, with room for the values that they work on. */
export class KernelMemory {
  readonly kernels: Kernels;
  /** All of the memory: the three areas of the window, then the room. */
  readonly bytes: Uint8Array;
  /** The caller's. */
  readonly room: Uint8Array;

  constructor(roomBytes = 0) {
    const memory = new WebAssembly.Memory({ initial: Math.ceil((WINDOW_BYTES + roomBytes) / PAGE_BYTES) });
    this.bytes = new Uint8Array(memory.buffer);
    this.room = this.bytes.subarray(WINDOW_BYTES, WINDOW_BYTES + roomBytes);
    modules ??= [FLOAT_KERNELS, QUANT_KERNELS].map((text) => new WebAssembly.Module(Buffer.from(text, 'base64')));
    const instances = modules.map((module) => new WebAssembly.Instance(module, { env: { memory } }));
    this.kernels = Object.assign({}, ...instances.map(({ exports }) => exports)) as Kernels;
  }

  /** Whether bytes lie in this memory: their `byteOffset` is then their address. */
  holds({ buffer }: Uint8Array): boolean {
    return buffer === this.bytes.buffer;
  }
}
