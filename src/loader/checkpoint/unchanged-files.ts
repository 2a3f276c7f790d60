/** Whether the files of a checkpoint are still those whose headers were read: offsets into any others are offsets into noise. */
import { FileSource } from '../file/file-source.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { remainder } from '../file/crc32.js';
import type { ShardFile } from './checkpoint.js';

/** The sum of everything before the data, see `ShardFile.headerSum`. */
export async function headerSum(source: FileSource, dataStart: number): Promise<number> {
  return remainder(await source.read(0, dataStart));
}

/**
 * Opens a shard that was opened before.
 * @throws SafetensorsError `FILE_CHANGED` where its size, time, inode or header is another now, or it is gone; `IO_ERROR`
 */
export async function openUnchanged(file: ShardFile): Promise<FileSource> {
  const source = await FileSource.open(file.path).catch((error: unknown) => {
    const { cause } = error instanceof SafetensorsError ? error : {};
    throw cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
      ? changed(file, 'is gone since it was opened')
      : error;
  });
  const change = await changeOf(file, source).catch((error: unknown) => error);
  if (change === null) return source;
  await source.close();
  throw typeof change === 'string' ? changed(file, change) : change;
}

/** @throws as `openUnchanged`, for the first file that has changed. Files that are not on this machine are left out. */
export async function checkUnchanged(files: readonly ShardFile[]): Promise<void> {
  for (const file of files) if (file.stamp !== undefined) await (await openUnchanged(file)).close();
}

/**
 * Makes something of files that stay the same meanwhile. What else goes wrong with files that do not is not worth saying.
 * @throws as `checkUnchanged`; what `make` throws
 */
export async function ofUnchanged<T extends AsyncDisposable>(
  files: readonly ShardFile[],
  make: () => Promise<T>,
): Promise<T> {
  await checkUnchanged(files);
  const made = await make().catch(async (error: unknown) => {
    await checkUnchanged(files);
    throw error;
  });
  try {
    await checkUnchanged(files);
    return made;
  } catch (error) {
    await made[Symbol.asyncDispose]();
    throw error;
  }
}

async function changeOf(file: ShardFile, source: FileSource): Promise<string | null> {
  if (source.sizeBytes !== file.sizeBytes) {
    return `has ${source.sizeBytes} bytes; it had ${file.sizeBytes} when it was opened`;
  }
  if (file.stamp === undefined) return null;
  if (source.stamp !== file.stamp) return 'was replaced or written to after it was opened';
  return (await headerSum(source, file.dataStart)) === file.headerSum
    ? null
    : 'has another header than when it was opened';
}

function changed({ path }: ShardFile, how: string): SafetensorsError {
  return new SafetensorsError('FILE_CHANGED', path, how, { hint: 'Open the checkpoint again.' });
}
