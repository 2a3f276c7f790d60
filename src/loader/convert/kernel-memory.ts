/**
 * Memory that the kernels work in: room for the caller, whose bytes are converted where they lie, and a window that all
 * other bytes pass in pieces, which stays in the processor's cache.
 */
import { CHECKED_FLOAT_KERNELS, FLOAT_KERNELS } from './float-kernels.js';
import { QUANT_KERNELS } from './quant-kernels.js';
import { assemble, instantiate, type KernelFunction, type KernelModule } from './wasm-module.js';

/** Values that pass at a time: three areas of 64 KiB stay within the smallest second-level caches, of 256 KiB. */
export const WINDOW_VALUES = 16 * 1024;
/** Addresses whose last 12 bits are equal slow a copy between them down to a quarter (x86 takes them for the same). */
export const ALIAS_BYTES = 4096;
/** float32 of a window, and room to begin where the addresses differ. */
export const AREA_BYTES = 4 * WINDOW_VALUES + ALIAS_BYTES;
const AREAS = 3;
/** Where checked kernels say what they met: 16 bytes before the room. */
const LARGEST = AREAS * AREA_BYTES;
const ROOM = LARGEST + 16;
const PAGE_BYTES = 65_536;

const LIMITS = new Map(CHECKED_FLOAT_KERNELS.map(({ name, limit }) => [name, limit]));

let compiled: Record<'all' | 'checked', KernelModule> | undefined;

/** As bits of a float32: what rounds to more than the largest float16. */
const FLOAT16_OVERFLOW = 0x477f_f000;
const INFINITE = 0x7f80_0000;

/** Memory of kernels in WebAssembly, with room for the values that they work on. */
export class KernelMemory {
  /** Finite values that a conversion to float16 has made infinite so far. */
  overflowed = 0;
  /** All of the memory: the three areas, then the room. */
  readonly bytes: Uint8Array;
  /** The caller's. */
  readonly room: Uint8Array;
  readonly #kernels: ReadonlyMap<string, KernelFunction>;
  readonly #checked: ReadonlyMap<string, KernelFunction>;
  readonly #largest: Int32Array;

  constructor(roomBytes = 0) {
    const memory = new WebAssembly.Memory({ initial: Math.ceil((ROOM + roomBytes) / PAGE_BYTES) });
    this.bytes = new Uint8Array(memory.buffer);
    this.room = this.bytes.subarray(ROOM, ROOM + roomBytes);
    this.#largest = new Int32Array(memory.buffer, LARGEST, 4);
    compiled ??= {
      all: assemble([...FLOAT_KERNELS, ...QUANT_KERNELS]),
      checked: assemble(CHECKED_FLOAT_KERNELS),
    };
    this.#kernels = instantiate(compiled.all, memory);
    this.#checked = instantiate(compiled.checked, memory);
  }

  /** @throws RangeError */
  kernel(name: string): KernelFunction {
    const kernel = this.#kernels.get(name);
    if (kernel === undefined) throw new RangeError(`no kernel ${name}`);
    return kernel;
  }

  has(name: string): boolean {
    return this.#kernels.has(name);
  }

  /** Runs a kernel of one target, the checked one first where there is one. */
  convert(name: string, source: number, end: number, target: number): void {
    const checked = this.#checked.get(name);
    if (checked !== undefined) {
      checked(source, end, target, LARGEST);
      const largest = Math.max(...this.#largest);
      if (name === 'F32-F16' && largest >= FLOAT16_OVERFLOW) this.overflowed += this.#overflows(source, end);
      if (largest <= (LIMITS.get(name) ?? 0)) return;
    }
    this.kernel(name)(source, end, target);
  }

  #overflows(source: number, end: number): number {
    const view = new DataView(this.bytes.buffer, source, end - source);
    let count = 0;
    for (let at = 0; at + 4 <= view.byteLength; at += 4) {
      const magnitude = view.getUint32(at, true) & 0x7fff_ffff;
      if (magnitude >= FLOAT16_OVERFLOW && magnitude < INFINITE) count += 1;
    }
    return count;
  }

  /** Whether bytes lie in this memory: their `byteOffset` is then their address. */
  holds({ buffer }: Uint8Array): boolean {
    return buffer === this.bytes.buffer;
  }
}
