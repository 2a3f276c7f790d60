/**
 * Files that are being written, beside the ones they become. Any number of processes may share their folder, those of other
 * containers and machines too, whose process ids mean nothing here: names are random, and a file is held by a lock.
 */
import { randomUUID } from 'node:crypto';
import { open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { exists } from '../file/exists.js';
import { lockFile } from '../file/file-lock.js';
import { networkFileSystem } from '../mapping/network-file-system.js';

/** Temporary names are recognised by this, so that a later run can remove what a killed one left. */
const TEMPORARY_SUFFIX = '.blip2-partial';

/** Names of 255 bytes are the limit of common file systems; a UUID and the suffix are 51 of them. */
const KEPT_NAME_BYTES = 180;

export class TemporaryFile implements AsyncDisposable {
  readonly path: string;
  readonly handle: FileHandle;
  #open = true;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  /** A new file in the folder of `path`, which nobody else writes or removes. */
  static async beside(path: string): Promise<TemporaryFile> {
    const name = Buffer.from(basename(path)).subarray(0, KEPT_NAME_BYTES).toString();
    for (;;) {
      const temporary = join(dirname(path), `.${name}.${randomUUID()}${TEMPORARY_SUFFIX}`);
      const handle = await open(temporary, 'wx');
      // Before it had its lock, somebody may have taken it for abandoned.
      const isOurs = (await lockFile(handle.fd)) !== false && (await exists(temporary));
      if (isOurs) return new TemporaryFile(temporary, handle);
      await handle.close();
      await rm(temporary, { force: true });
    }
  }

  /** Its bytes are on the disk after this, and it can get its name. */
  async finish(): Promise<void> {
    await this.handle.sync();
    // Windows renames no open file. Elsewhere the lock lasts until the file has its name.
    if (process.platform === 'win32') await this.#close();
  }

  /** Removes the file, unless it has got a name of its own. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await rm(this.path, { force: true });
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.handle.close();
  }
}

/** Where locks may not tell: nobody writes for so long without a change that is seen. */
const SILENT_MS = 3_600_000;

/** Removes the temporary files of runs that have ended. */
export async function removeAbandonedFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(TEMPORARY_SUFFIX)) continue;
    // What has gone meanwhile, or belongs to another user, is not for this run to remove.
    await removeAbandoned(join(folder, name)).catch(() => undefined);
  }
}

async function removeAbandoned(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    const isLocked = await lockFile(handle.fd);
    const isFree = isLocked === true && (await networkFileSystem(path)) === undefined;
    const isOld = isLocked !== false && Date.now() - (await handle.stat()).mtimeMs >= SILENT_MS;
    // While the lock is held: whoever makes a file of this name now sees that it is taken or gone.
    if (isFree || isOld) await rm(path, { force: true });
  } finally {
    await handle.close();
  }
}
