/** A file of the hub onto the disk: taken up where an earlier attempt ended, checked, and there only when it is whole. */
import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SafetensorsError } from '../format/safetensors-error.js';
import { FileSource } from '../file/file-source.js';
import { readChunks } from '../file/read-chunks.js';
import type { RemoteFile } from './remote-file.js';

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of this file that are on the disk. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

/**
 * Downloads to `path`. Bytes that have arrived are kept in `<path>.incomplete`, as huggingface_hub keeps them.
 * @throws SafetensorsError `ChecksumMismatch` where what arrived is not what the hub announced; it is deleted then.
 */
export async function downloadFile(
  remote: RemoteFile,
  path: string,
  { signal, onProgress }: DownloadOptions = {},
): Promise<void> {
  const partial = `${path}.incomplete`;
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(partial, 'a');
  try {
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
  } finally {
    await handle.close();
  }
  await checkHash(remote, partial);
  await rename(partial, path);
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
    'ChecksumMismatch',
    remote.name,
    `arrived with the hash ${digest}; the hub announced ${remote.hash}`,
    {
      hint: 'It was deleted. Run it again.',
    },
  );
}
