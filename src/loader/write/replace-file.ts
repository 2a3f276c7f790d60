/**
 * A file that is there whole or not at all: written under a temporary name in the same folder, synced to the disk, then
 * renamed. Whatever happens on the way, a file of the final name stays as it was.
 */
import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { Blip2Error } from '../../errors.js';
import { basename, dirname, join } from 'node:path';

/** Temporary names are recognised by this, so that a later run can remove what a killed one left. */
const TEMPORARY_SUFFIX = '.blip2-partial';

let counter = 0;

/** Ends in the process that writes it; two writes of one process do not meet either. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${counter++}.${process.pid}${TEMPORARY_SUFFIX}`);
}

/** @param write gets the open temporary file. Where it throws, the temporary file is removed. */
export async function replaceFile(path: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path);
  const handle = await open(temporary, 'w');
  try {
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new Blip2Error('DiskFull', `the disk is full: ${path} was not written`, {
      hint: 'Make room there. blip2-shard cache ls shows what runs have kept of converted weights.',
      cause: error,
    });
  }
  await syncFolder(dirname(path));
}

/** Makes the new name survive a power cut. Windows has no such call and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes the temporary files of runs that are no longer alive. */
export async function removeAbandonedFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(TEMPORARY_SUFFIX)) continue;
    const pid = Number(/\.(\d+)\.[^.]+$/.exec(name)?.[1]);
    if (!isAlive(pid)) await rm(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
