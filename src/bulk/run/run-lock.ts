import { open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFile, openLocked } from '../../loader/file/file-lock.js';
import { writeFailure } from '../../loader/file/write-failure.js';

/** Every `count`-th shard, from the one with number `index` on. */
export interface Slice {
  readonly index: number;
  readonly count: number;
}

const LOCK_NAME = /^(\d+)-of-(\d+)\.lock$/;

/**
 * Keeps shards of a folder from other runs while this process lives. Processes of one machine see each other, those of several
 * where their file system passes locks on; where there are no locks, nobody is kept out.
 */
export class RunLock implements AsyncDisposable {
  readonly #path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /**
   * @returns null where another run has some of these shards
   * @throws Blip2Error `WRITE_FAILED`, `DISK_FULL` where the folder cannot be written
   */
  static async take(folder: string, slice: Slice): Promise<RunLock | null> {
    const name = `${slice.index}-of-${slice.count}.lock`;
    const path = join(folder, name);
    const handle = await openLocked(path).catch((error: unknown) => {
      throw writeFailure(path, error);
    });
    if (handle === null) return null;
    const lock = new RunLock(path, handle);
    const meets = ({ index, count }: Slice) => (index - slice.index) % divisor(count, slice.count) === 0;
    if (!(await isHeld(folder, (other, its) => other !== name && meets(its)))) return lock;
    await lock[Symbol.asyncDispose]();
    return null;
  }

  /** Whether anybody but `own` is at work in the folder, on whatever shards. */
  static isShared(folder: string, own: RunLock | undefined): Promise<boolean> {
    const ownPath = own === undefined ? null : own.#path;
    return isHeld(folder, (other) => join(folder, other) !== ownPath);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { force: true });
    await this.#handle.close();
  }
}

async function isHeld(folder: string, counts: (name: string, slice: Slice) => boolean): Promise<boolean> {
  for (const name of await readdir(folder)) {
    const [, index, count] = LOCK_NAME.exec(name) ?? [];
    if (index === undefined || !counts(name, { index: Number(index), count: Number(count) })) continue;
    const handle = await open(join(folder, name), 'r+').catch(() => null);
    const isTaken = handle !== null && (await lockFile(handle.fd)) === false;
    await handle?.close();
    if (isTaken) return true;
  }
  return false;
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
