import type { TarFile } from './tar-file.js';

/** Bytes of an archive in their order, and where in it they begin. */
export interface ArchiveStream {
  readonly position: number;
  readonly chunks: AsyncIterator<Uint8Array, void>;
}

export interface ForwardOptions {
  /** Begins at an offset, or before it where only that can be done. */
  readonly open: (offset: number) => ArchiveStream;
  /** Bytes that are passed over rather than begun behind. */
  readonly mostPassedBytes: number;
  readonly close: () => Promise<void>;
}

const PASSED_AT_ONCE = 1 << 20;

/** An archive that comes as a stream, and is best read forwards. */
export class ForwardTarFile implements TarFile {
  readonly #options: ForwardOptions;
  #chunks: AsyncIterator<Uint8Array, void> | undefined;
  /** What has come and is not passed yet, and where it begins. */
  #rest: Uint8Array = new Uint8Array();
  #position = 0;

  constructor(options: ForwardOptions) {
    this.#options = options;
  }

  async read(offset: number, size: number): Promise<Uint8Array> {
    const isAhead = offset >= this.#position && offset - this.#position <= this.#options.mostPassedBytes;
    if (this.#chunks === undefined || !isAhead) await this.#begin(offset);
    while (this.#position < offset) {
      const passed = await this.#take(Math.min(offset - this.#position, PASSED_AT_ONCE));
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

  async #begin(offset: number): Promise<void> {
    await this.#end();
    const { position, chunks } = this.#options.open(offset);
    this.#chunks = chunks;
    this.#rest = new Uint8Array();
    this.#position = position;
  }

  async #end(): Promise<void> {
    await this.#chunks?.return?.();
    this.#chunks = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await this.#options.close();
  }
}
