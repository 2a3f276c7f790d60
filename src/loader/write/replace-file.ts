/**
 * A file that is there whole or not at all: written under a temporary name in the same folder, synced to the disk, then
 * renamed. Whatever happens on the way, a file of the final name stays as it was. Where the name is a link, the file that it
 * leads to is replaced.
 */
import { link, open, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { TemporaryFile } from './temporary-file.js';
import { writeFailure } from '../file/write-failure.js';
import { writeTarget } from './write-target.js';

interface ReplaceOptions {
  /** Where another process has made a file of that name meanwhile, and this says that it is as good, that one stays. */
  readonly isGood?: () => Promise<boolean>;
}

/**
 * @param write gets the open temporary file. Where it throws, the temporary file is removed.
 * @throws Blip2Error `DISK_FULL`, `FILE_TOO_LARGE`, `WRITE_FAILED`; what `write` throws
 */
export async function replaceFile(
  path: string,
  write: (handle: FileHandle) => Promise<void>,
  { isGood }: ReplaceOptions = {},
): Promise<void> {
  try {
    const { path: target, kind } = await writeTarget(path);
    if (kind !== 'none' && kind !== 'file')
      throw new Blip2Error('WRITE_FAILED', `${path} is a ${kind}: it was not replaced`);
    await using temporary = await TemporaryFile.beside(target);
    await write(temporary.handle);
    await temporary.finish();
    // A link fails where the name is taken; there are file systems without links.
    const isLinked = isGood !== undefined && (await link(temporary.path, target).then(() => true, isGood));
    if (!isLinked) await rename(temporary.path, target);
    await syncFolder(dirname(target));
  } catch (error) {
    throw writeFailure(path, error);
  }
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
