/** A file of the hub onto the disk: taken up where an earlier attempt ended, checked, and there only when it is whole. */
import { createHash, randomUUID } from 'node:crypto';
import { link, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SafetensorsError } from '../format/safetensors-error.js';
import { exists } from '../file/exists.js';
import { openLocked } from '../file/file-lock.js';
import { FileSource } from '../file/file-source.js';
import { makeFolder } from '../file/make-folder.js';
import { readChunks } from '../file/read-chunks.js';
import { writeFailure } from '../file/write-failure.js';
import type { RemoteFile } from './remote-file.js';

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of this file that are on the disk. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

/**
 * Downloads to `path`. Bytes that have arrived are kept in `<path>.incomplete`, as huggingface_hub keeps them; where another
 * process is filling that, this one fills a file of its own.
 * @throws SafetensorsError `CHECKSUM_MISMATCH` where what arrived is not what the hub announced; it is deleted then.
 *   Blip2Error `DISK_FULL`, `FILE_TOO_LARGE`, `WRITE_FAILED`
 */
export async function downloadFile(
  remote: RemoteFile,
  path: string,
  { signal, onProgress }: DownloadOptions = {},
): Promise<void> {
  await makeFolder(dirname(path));
  const { partial, handle, isKept } = await openPartial(path);
  const finish = async (): Promise<void> => {
    await checkHash(remote, partial);
    // What others have finished meanwhile has the same bytes, and may be in use: it stays. There are disks without links.
    const isThere = await link(partial, path).then(
      () => true,
      () => exists(path),
    );
    await (isThere ? rm(partial, { force: true }) : rename(partial, path));
  };
  try {
    // Somebody else may have finished it before this file had its lock.
    if (await exists(path)) {
      await rm(partial, { force: true });
      return;
    }
    let { size: done } = await handle.stat();
    if (done > remote.sizeBytes) {
      await handle.truncate(0);
      done = 0;
    }
    onProgress?.(done);
    for await (const chunk of remote.stream(done, remote.sizeBytes)) {
      signal?.throwIfAborted();
      await handle.appendFile(chunk);
      done += chunk.length;
      onProgress?.(done);
    }
    await handle.sync();
    // The lock lasts until the file has its name, but on Windows, which has none and renames no open file.
    if (process.platform !== 'win32') await finish();
  } catch (error) {
    if (!isKept) await rm(partial, { force: true });
    throw writeFailure(path, error);
  } finally {
    await handle.close();
  }
  if (process.platform === 'win32') await finish();
}

interface PartialFile {
  readonly partial: string;
  readonly handle: FileHandle;
  /** For a later attempt, where this one does not end. */
  readonly isKept: boolean;
}

async function openPartial(path: string): Promise<PartialFile> {
  const common = `${path}.incomplete`;
  const handle = await openLocked(common);
  if (handle !== null) return { partial: common, handle, isKept: true };
  const own = `${path}.${randomUUID()}.incomplete`;
  return { partial: own, handle: await open(own, 'wx'), isKept: false };
}

async function checkHash(remote: RemoteFile, path: string): Promise<void> {
  const sha256 = remote.hash.length === 64;
  // A small file is named by the hash git gives it: SHA-1 of a line with its length, and the content.
  const hash = sha256 ? createHash('sha256') : createHash('sha1').update(`blob ${remote.sizeBytes}\0`);
  {
    await using source = await FileSource.open(path);
    for await (const chunk of readChunks(source, 0, source.sizeBytes)) hash.update(chunk);
  }
  const digest = hash.digest('hex');
  if (digest === remote.hash) return;
  await rm(path);
  throw new SafetensorsError(
    'CHECKSUM_MISMATCH',
    remote.name,
    `arrived with the hash ${digest}; the hub announced ${remote.hash}`,
    { hint: 'It was deleted. Run it again.' },
  );
}
