/** The bytes of a tar archive at any offset. One that is compressed is unpacked from its start on, and best read forwards. */
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';

export interface TarFile extends AsyncDisposable {
  /** Fewer than `size` where the archive ends. */
  read(offset: number, size: number): Promise<Uint8Array>;
}

/** Whether it is compressed is seen in its first bytes: archives that are carry either name. */
export async function openTarFile(path: string): Promise<TarFile> {
  const handle = await open(path, 'r');
  try {
    const magic = Buffer.alloc(2);
    const { bytesRead } = await handle.read(magic, 0, 2, 0);
    if (bytesRead < 2 || magic[0] !== 0x1f || magic[1] !== 0x8b) return new PlainTarFile(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return new GzipTarFile(path);
}

class PlainTarFile implements TarFile {
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

class GzipTarFile implements TarFile {
  readonly #path: string;
  #chunks: AsyncIterator<Buffer, void> | undefined;
  /** What was unpacked and is not passed yet, and where it begins. */
  #rest: Uint8Array = new Uint8Array();
  #position = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async read(offset: number, size: number): Promise<Uint8Array> {
    if (offset < this.#position || this.#chunks === undefined) await this.#rewind();
    while (this.#position < offset) {
      const passed = await this.#take(Math.min(offset - this.#position, 1 << 20));
      if (passed.length === 0) return new Uint8Array();
    }
    return this.#take(size);
  }

  async #take(size: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let missing = size;
    while (missing > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks?.next();
        if (next === undefined || next.done === true) break;
        this.#rest = next.value;
        continue;
      }
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      this.#position += part.length;
      missing -= part.length;
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  async #rewind(): Promise<void> {
    await this[Symbol.asyncDispose]();
    const gunzip = createGunzip();
    // A failure of either stream is what reading the last one throws.
    pipeline(createReadStream(this.#path), gunzip, () => undefined);
    this.#chunks = gunzip[Symbol.asyncIterator]();
    this.#rest = new Uint8Array();
    this.#position = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks?.return?.();
    this.#chunks = undefined;
  }
}
