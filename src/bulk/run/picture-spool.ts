import { appendFile, open, writeFile } from 'node:fs/promises';
import { writeFailure } from '../../loader/file/write-failure.js';

/**
 * The files of pictures that lie elsewhere, until their shard is written: each is fetched once, and what is written is what was
 * captioned. On disk, because a shard of pictures is not held in memory; it takes what the shard's output will take.
 */
export class PictureSpool {
  readonly #file: string;
  /** By position in the shard. */
  readonly #places = new Map<number, { readonly offset: number; readonly size: number }>();
  #bytes = 0;
  #write: Promise<void> = Promise.resolve();

  /** @param file begun anew with the first picture, whatever an earlier process has left in it */
  constructor(file: string) {
    this.#file = file;
  }

  /** @throws Blip2Error `DISK_FULL`, `WRITE_FAILED` */
  async put(position: number, bytes: Uint8Array): Promise<void> {
    const written = this.#write.then(() => this.#append(position, bytes));
    this.#write = written.catch(() => undefined);
    await written;
  }

  /** @returns null for a picture that was not put */
  async read(position: number): Promise<Uint8Array | null> {
    const place = this.#places.get(position);
    if (place === undefined) return null;
    const handle = await open(this.#file);
    try {
      const bytes = new Uint8Array(place.size);
      const { bytesRead } = await handle.read(bytes, 0, place.size, place.offset);
      return bytesRead === place.size ? bytes : null;
    } finally {
      await handle.close();
    }
  }

  async #append(position: number, bytes: Uint8Array): Promise<void> {
    const write = this.#places.size === 0 ? writeFile : appendFile;
    await write(this.#file, bytes).catch((error: unknown) => {
      throw writeFailure(this.#file, error);
    });
    this.#places.set(position, { offset: this.#bytes, size: bytes.length });
    this.#bytes += bytes.length;
  }
}
