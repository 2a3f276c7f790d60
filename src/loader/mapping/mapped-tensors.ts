/**
 * Tensors in memory, and the end of their life.
 *
 * A view that outlives its mapping reads memory that is no longer there, and the process dies. So closing first detaches
 * the buffers: every view of them becomes empty. Node 20 cannot detach a buffer over foreign memory; there closing gives
 * the pages back to the system, and the address range follows when the last view has been collected.
 */
import type { StoredTensor } from '../format/stored-tensor.js';
import { quote } from '../format/quote.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import type { MappedWindow } from './memory-mapper.js';
import type { SharedTensor } from './shared-tensor.js';
import type { TensorView } from './tensor-view.js';

/** A buffer that holds file bytes from `begin` on, mapped or read. */
export interface LoadedWindow {
  readonly buffer: ArrayBuffer;
  readonly begin: number;
  /** null where the bytes were read into memory of our own. */
  readonly mapping: MappedWindow | null;
}

export interface LoadedTensor {
  readonly tensor: StoredTensor;
  /** null for a tensor without bytes. */
  readonly window: LoadedWindow | null;
}

/** From ES2024; Node 22 has it. */
type Transferable = ArrayBuffer & { transfer?: () => ArrayBuffer };

const uncollected = new FinalizationRegistry<() => void>((unmap) => unmap());

/** Weights by name, as views; they are valid until `close`. */
export class MappedTensors implements Disposable {
  /** Files that were read instead of mapped, each with the reason. */
  readonly notMapped: ReadonlyMap<string, string>;
  #tensors: ReadonlyMap<string, LoadedTensor>;
  #windows: readonly LoadedWindow[];
  #closed = false;

  constructor(
    tensors: ReadonlyMap<string, LoadedTensor>,
    windows: readonly LoadedWindow[],
    notMapped: ReadonlyMap<string, string>,
  ) {
    this.#tensors = tensors;
    this.#windows = windows;
    this.notMapped = notMapped;
    for (const { buffer, mapping } of windows) {
      if (mapping !== null) uncollected.register(buffer, mapping.unmap, mapping);
    }
  }

  get names(): Iterable<string> {
    return this.#tensors.keys();
  }

  /** Bytes of address space that the views lie in, whether or not their pages are in memory. */
  get windowBytes(): number {
    return this.#windows.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }

  /** @throws SafetensorsError `TENSOR_NOT_FOUND`, or `MAPPING_CLOSED` after `close`. */
  get(name: string): TensorView {
    const { tensor, window } = this.#loaded(name);
    const { dtype, shape, begin, end } = tensor;
    const bytes =
      window === null ? new Uint8Array(0) : new Uint8Array(window.buffer, begin - window.begin, end - begin);
    return { name, dtype, shape, bytes };
  }

  /** Starts reading these tensors into the page cache, without waiting. Nothing to do for files that were read. */
  prefetch(names: Iterable<string>): void {
    this.#advise('needed', names);
  }

  /** Gives the pages of these tensors back to the system. They come back from the file when they are used again. */
  release(names: Iterable<string>): void {
    this.#advise('done', names);
  }

  /**
   * A tensor for another thread of this process, as a message: see `openShared`. Valid until `close`.
   * @throws SafetensorsError `IO_ERROR` for a tensor that was read: such memory belongs to one thread.
   */
  share(name: string): SharedTensor {
    const { tensor, window } = this.#loaded(name);
    const { file, dtype, shape, begin, end } = tensor;
    if (window === null) return { name, dtype, shape, address: 0n, byteLength: 0 };
    if (window.mapping === null)
      throw new SafetensorsError('IO_ERROR', file, 'was read, not mapped, and cannot be shared', { tensor: name });
    return {
      name,
      dtype,
      shape,
      address: window.mapping.address + BigInt(begin - window.begin),
      byteLength: end - begin,
    };
  }

  #advise(advice: 'needed' | 'done', names: Iterable<string>): void {
    for (const name of names) {
      const { tensor, window } = this.#loaded(name);
      window?.mapping?.advise(advice, tensor.begin - window.begin, tensor.end - window.begin);
    }
  }

  #loaded(name: string): LoadedTensor {
    if (this.#closed)
      throw new SafetensorsError('MAPPING_CLOSED', '(mapping)', `closed; ${quote(name)} can no longer be read`);
    const loaded = this.#tensors.get(name);
    if (loaded !== undefined) return loaded;
    throw new SafetensorsError('TENSOR_NOT_FOUND', '(mapping)', `tensor ${quote(name)} was not mapped`, {
      tensor: name,
    });
  }

  /** Gives all memory back. Views become empty (Node 22 and later) or must not be used any more (Node 20). */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { buffer, mapping } of this.#windows) {
      const detachable = buffer as Transferable;
      if (typeof detachable.transfer === 'function') {
        detachable.transfer();
        if (mapping === null) continue;
        uncollected.unregister(mapping);
        mapping.unmap();
      } else {
        mapping?.advise('done', 0, buffer.byteLength);
      }
    }
    this.#windows = [];
    this.#tensors = new Map();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
