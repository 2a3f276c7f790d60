import type { FileHandle } from 'node:fs/promises';

/** The bytes of a tar archive at any offset. */
export interface TarFile extends AsyncDisposable {
  /** Fewer than `size` where the archive ends. */
  read(offset: number, size: number): Promise<Uint8Array>;
}

export class PlainTarFile implements TarFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(offset: number, size: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(size);
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
