import type { FileHandle } from 'node:fs/promises';

/** The bytes of a tar archive at any offset. */
export interface TarFile extends AsyncDisposable {
  /** Fewer than `size` where the archive ends. */
  read(offset: number, size: number): Promise<Uint8Array>;
}

/** So much is read at once where less is asked for: what is asked for next, a header or the next sample, is mostly in it. */
const WINDOW_BYTES = 16 * 1024;

export class PlainTarFile implements TarFile {
  readonly #handle: FileHandle;
  #window: { readonly offset: number; readonly bytes: Uint8Array } = { offset: 0, bytes: new Uint8Array() };

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(offset: number, size: number): Promise<Uint8Array> {
    if (size > WINDOW_BYTES / 4) return this.#read(offset, size);
    const { offset: begin, bytes } = this.#window;
    const isInside = offset >= begin && offset + size <= begin + bytes.length;
    if (!isInside) this.#window = { offset, bytes: await this.#read(offset, WINDOW_BYTES) };
    const from = offset - this.#window.offset;
    return this.#window.bytes.slice(from, from + size);
  }

  async #read(offset: number, size: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const { bytesRead } = await this.#handle.read(bytes, filled, size - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close();
  }
}
