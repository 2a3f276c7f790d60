/** The memory that pictures are resized and normalised in, one for each thread. */
import PIXEL_KERNELS from './pixel-kernels.wasm.js';

/** `pixel-kernels.as.ts` says what each does. Addresses and sizes are in bytes. */
interface PixelKernels {
  readonly mostTaps: (size: number, outSize: number) => number;
  readonly tapsBytes: (size: number, outSize: number) => number;
  readonly writeTaps: (size: number, outSize: number, taps: number, stride: number, scratch: number) => void;
  readonly firstTap: (taps: number, stride: number, position: number) => number;
  readonly endTap: (taps: number, stride: number, position: number) => number;
  readonly resizeLines: (
    source: number,
    size: number,
    lines: number,
    taps: number,
    stride: number,
    outSize: number,
    target: number,
  ) => void;
  readonly resizeColumns: (
    source: number,
    top: number,
    bytes: number,
    taps: number,
    stride: number,
    begin: number,
    end: number,
    target: number,
  ) => void;
  readonly pixelValues: (source: number, pixels: number, tables: number, target: number) => void;
  readonly pixelHalves: (source: number, pixels: number, tables: number, target: number) => void;
}

const PAGE_BYTES = 65_536;
/** Kernels read and write up to a vector beyond an area's end; areas begin at whole vectors. */
const VECTOR_BYTES = 16;
/** Enough for pictures of everyday sizes: what a huge one needs is given back. */
const KEPT_BYTES = 16 * 1024 * 1024;

let module: WebAssembly.Module | undefined;
let kept: PixelMemory | undefined;

export class PixelMemory {
  readonly kernels: PixelKernels;
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  #end = 0;

  private constructor() {
    module ??= new WebAssembly.Module(Buffer.from(PIXEL_KERNELS, 'base64'));
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.kernels = exports as unknown as PixelKernels;
  }

  /** Work that is done when this returns, alone in the memory: its areas are gone then. */
  static use<Result>(work: (memory: PixelMemory) => Result): Result {
    const memory = (kept ??= new PixelMemory());
    memory.#end = 0;
    const result = work(memory);
    if (memory.#memory.buffer.byteLength > KEPT_BYTES) kept = undefined;
    return result;
  }

  /** Where an area of so many bytes begins. What is in it is left from earlier work. */
  area(bytes: number): number {
    const begin = this.#end;
    this.#end = VECTOR_BYTES * Math.ceil((begin + bytes) / VECTOR_BYTES + 1);
    const missing = this.#end - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    return begin;
  }

  write(at: number, { buffer, byteOffset, byteLength }: ArrayBufferView): void {
    this.read(at, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength));
  }

  /** A view that holds until the next area. */
  read(at: number, bytes: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, at, bytes);
  }
}
