/**
 * The cache that Python's huggingface_hub and this loader share:
 * `models--owner--name/{refs/<revision>, blobs/<hash>, snapshots/<commit>/<file>}`, each file of a snapshot a relative link
 * to its blob.
 */
import { randomUUID } from 'node:crypto';
import { copyFile, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { exists } from '../file/exists.js';
import { makeFolder } from '../file/make-folder.js';

export class HubCache {
  readonly #folder: string;

  constructor(cacheFolder: string, repo: string) {
    this.#folder = join(cacheFolder, `models--${repo.replaceAll('/', '--')}`);
  }

  /** The commit that a revision stood for when it was last looked up; a commit stands for itself. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readFile(join(this.#folder, 'refs', revision), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  async setCommit(revision: string, commit: string): Promise<void> {
    if (isCommit(revision)) return;
    const path = join(this.#folder, 'refs', revision);
    await makeFolder(dirname(path));
    await writeFile(path, commit);
  }

  snapshot(commit: string): string {
    return join(this.#folder, 'snapshots', commit);
  }

  /** Whether the snapshot has a file, its blob included. */
  async has(commit: string, file: string): Promise<boolean> {
    return exists(join(this.snapshot(commit), file));
  }

  /** Whether the commit is known to lack a file: huggingface_hub too leaves an empty one of that name. */
  async isAbsent(commit: string, file: string): Promise<boolean> {
    return exists(this.#absent(commit, file));
  }

  async setAbsent(commit: string, file: string): Promise<void> {
    const path = this.#absent(commit, file);
    await makeFolder(dirname(path));
    await writeFile(path, '');
  }

  #absent(commit: string, file: string): string {
    return join(this.#folder, '.no_exist', commit, file);
  }

  blob(hash: string): string {
    return join(this.#folder, 'blobs', hash);
  }

  /** Makes a blob a file of a snapshot. */
  async link(commit: string, file: string, hash: string): Promise<void> {
    const path = join(this.snapshot(commit), file);
    await makeFolder(dirname(path));
    const temporary = `${path}.${randomUUID()}.link`;
    try {
      await symlink(relative(dirname(path), this.blob(hash)), temporary);
    } catch {
      // Windows asks for a privilege to make links; huggingface_hub copies there too.
      await copyFile(this.blob(hash), temporary);
    }
    await rename(temporary, path).catch(async (error: unknown) => {
      await rm(temporary, { force: true });
      throw error;
    });
  }
}

function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
