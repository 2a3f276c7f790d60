/** A file on this machine as a source of bytes. */
import type { BigIntStats } from 'node:fs';
import { constants, open, realpath, type FileHandle } from 'node:fs/promises';
import { reasonOf } from '../../errors.js';
import type { ByteSource } from '../format/read-header.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { kindOf } from './read-small-file.js';

/**
 * One read call moves at most this much: Node caps a call near 2 GiB, and the pages of smaller pieces are still in the
 * processor's caches when they are used.
 */
const READ_CHUNK_BYTES = 16 * 1024 * 1024;

/** Node's pool has four threads for file calls. */
const READS_IN_FLIGHT = 4;

/** A file on this machine, open for reading. */
export class FileSource implements ByteSource, AsyncDisposable {
  readonly name: string;
  /** Absolute path, symbolic links resolved. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Inode and time of change: others once the file has been replaced or written to. */
  readonly stamp: string;
  readonly #handle: FileHandle;

  private constructor(name: string, path: string, { size, ino, mtimeNs }: BigIntStats, handle: FileHandle) {
    this.name = name;
    this.path = path;
    this.sizeBytes = Number(size);
    this.stamp = `${ino} ${mtimeNs}`;
    this.#handle = handle;
  }

  /**
   * @param name what messages call the file; its path unless another is given.
   * @throws SafetensorsError `IO_ERROR`; its cause is the system's error. `NOT_DOWNLOADED` for an address on the hub.
   */
  static async open(path: string, name = path): Promise<FileSource> {
    if (/^https?:\/\//.test(path)) {
      throw new SafetensorsError('NOT_DOWNLOADED', path, 'is on the hub and not on this machine', {
        hint: 'Call downloadTensors(checkpoint, names) first.',
      });
    }
    let kind: string;
    try {
      const resolved = await realpath(path);
      // Without it, opening a pipe waits for somebody who writes into it.
      const handle = await open(resolved, constants.O_RDONLY | constants.O_NONBLOCK);
      const stats = await handle.stat({ bigint: true });
      if (stats.isFile()) return new FileSource(name, resolved, stats, handle);
      await handle.close();
      kind = kindOf(stats);
    } catch (cause) {
      throw new SafetensorsError('IO_ERROR', name, reasonOf(cause), { cause });
    }
    throw new SafetensorsError('IO_ERROR', name, `is ${kind}, not a file`);
  }

  get fd(): number {
    return this.#handle.fd;
  }

  async read(begin: number, end: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(end - begin);
    await this.readInto(bytes, begin);
    return bytes;
  }

  /**
   * Fills `bytes` from `position` on, with several reads in flight. A single read may be short; this one is not.
   * @throws SafetensorsError `FILE_CHANGED` where the file has become shorter than it was when it was opened; `IO_ERROR`.
   */
  async readInto(bytes: Uint8Array, position: number): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < bytes.length) {
        const begin = next;
        next += READ_CHUNK_BYTES;
        await this.#readChunk(bytes.subarray(begin, next), position + begin);
      }
    };
    const workers = Math.min(READS_IN_FLIGHT, Math.ceil(bytes.length / READ_CHUNK_BYTES));
    await Promise.all(Array.from({ length: workers }, worker));
  }

  async #readChunk(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await this.#handle
        .read(bytes, done, bytes.length - done, position + done)
        .catch((cause: unknown) => {
          throw new SafetensorsError('IO_ERROR', this.name, reasonOf(cause), {
            cause,
          });
        });
      if (bytesRead === 0) throw this.#truncated(position + done);
      done += bytesRead;
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #truncated(position: number): SafetensorsError {
    return new SafetensorsError(
      'FILE_CHANGED',
      this.name,
      `ends at byte ${position}; it had ${this.sizeBytes} bytes when it was opened`,
      { hint: 'Another program shortens this file. Open the checkpoint again when it is done.' },
    );
  }
}
