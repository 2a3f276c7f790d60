/** A folder of this machine for what a run has on its way that it writes elsewhere. */
import { mkdtemp, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exists } from '../../loader/file/exists.js';
import { lockFile } from '../../loader/file/file-lock.js';

const PREFIX = 'blip2-run-';
/** Locked while the folder is in use. */
const LOCK_FILE = '.lock';

export class LocalFolder implements AsyncDisposable {
  readonly path: string;
  readonly #lock: FileHandle;

  private constructor(path: string, lock: FileHandle) {
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Makes one, and removes those of runs that were killed: each may hold a shard of pictures.
   * @param among folder that it is made in
   */
  static async make(among = tmpdir()): Promise<LocalFolder> {
    await removeAbandoned(among);
    for (;;) {
      const path = await mkdtemp(join(among, PREFIX));
      const lock = await open(join(path, LOCK_FILE), 'wx');
      // Before it had its lock, somebody may have taken it for abandoned.
      if ((await lockFile(lock.fd)) !== false && (await exists(join(path, LOCK_FILE)))) {
        return new LocalFolder(path, lock);
      }
      await lock.close();
      await rm(path, { recursive: true, force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    await this.#lock.close();
  }
}

async function removeAbandoned(among: string): Promise<void> {
  for (const name of await readdir(among).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(among, name);
    // What has gone meanwhile, or belongs to another user, is not for this run to remove.
    const lock = await open(join(path, LOCK_FILE), 'r+').catch(() => null);
    if (lock === null) continue;
    // The lock is held until it is gone: whoever makes one now gets another name.
    if ((await lockFile(lock.fd)) === true) await rm(path, { recursive: true, force: true }).catch(() => undefined);
    await lock.close();
  }
}
