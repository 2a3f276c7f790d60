import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Blip2Error, reasonOf } from '../../errors.js';
import { writeFailure } from './write-failure.js';

/**
 * A folder and those above it, where they are not there. Node's own recursive `mkdir` calls a disk that may not be written a
 * missing folder, and never ends where a folder that is there refuses as if it were missing, as /proc does.
 * @throws Blip2Error `OUTPUT_INVALID` for what cannot be a folder or may not be written, `DISK_FULL`
 */
export async function makeFolder(path: string): Promise<void> {
  // From above down: another process may make any of them in between, and then it is there all the same.
  for (const folder of await missingFolders(path)) {
    try {
      await mkdir(folder);
    } catch (error) {
      if (!(await isFolder(folder))) throw folderFailure(folder, error);
    }
  }
}

function folderFailure(folder: string, cause: unknown): unknown {
  const failure = writeFailure(folder, cause);
  if (!(failure instanceof Blip2Error) || failure.code !== 'WRITE_FAILED') return failure;
  return new Blip2Error('OUTPUT_INVALID', `the folder ${JSON.stringify(folder)} cannot be made: ${reasonOf(cause)}`, {
    hint: 'Name one that is there, or a place where folders may be made.',
    cause,
  });
}

/** The path, and before it those above it that are missing, the highest first. */
async function missingFolders(path: string): Promise<string[]> {
  const missing = [path];
  for (let above = dirname(path); await isMissing(above); above = dirname(above)) missing.unshift(above);
  return missing;
}

async function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT',
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}
