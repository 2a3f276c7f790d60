/**
 * Memory that the kernels work in: room for the caller, whose bytes are converted where they lie, and a window that all
 * other bytes pass in pieces, which stays in the processor's cache.
 */
import { FLOAT_KERNELS } from './float-kernels.js';
import { QUANT_KERNELS } from './quant-kernels.js';
import { assemble, instantiate, type KernelFunction } from './wasm-module.js';

/** Values that pass at a time: three areas of 64 KiB stay within the smallest second-level caches, of 256 KiB. */
export const WINDOW_VALUES = 16 * 1024;
/** Addresses whose last 12 bits are equal slow a copy between them down to a quarter (x86 takes them for the same). */
export const ALIAS_BYTES = 4096;
/** float32 of a window, and room to begin where the addresses differ. */
export const AREA_BYTES = 4 * WINDOW_VALUES + ALIAS_BYTES;
const AREAS = 3;
const PAGE_BYTES = 65_536;

let compiled: WebAssembly.Module | undefined;

export class KernelMemory {
  /** All of the memory: the three areas, then the room. */
  readonly bytes: Uint8Array;
  /** The caller's. */
  readonly room: Uint8Array;
  readonly kernels: ReadonlyMap<string, KernelFunction>;

  constructor(roomBytes = 0) {
    const memory = new WebAssembly.Memory({ initial: Math.ceil((AREAS * AREA_BYTES + roomBytes) / PAGE_BYTES) });
    this.bytes = new Uint8Array(memory.buffer);
    this.room = this.bytes.subarray(AREAS * AREA_BYTES, AREAS * AREA_BYTES + roomBytes);
    compiled ??= assemble([...FLOAT_KERNELS, ...QUANT_KERNELS]);
    this.kernels = instantiate(compiled, memory);
  }

  /** Whether bytes lie in this memory: their `byteOffset` is then their address. */
  holds({ buffer }: Uint8Array): boolean {
    return buffer === this.bytes.buffer;
  }
}
