import { stat } from 'node:fs/promises';
import { FileSource } from './file-source.js';

/**
 * A line that is the same while a file is: its path, size and time of change.
 * @throws SafetensorsError `IO_ERROR`, `NOT_DOWNLOADED`.
 */
export async function fileStamp(path: string): Promise<string> {
  await using source = await FileSource.open(path);
  const { size, mtimeNs } = await stat(source.path, { bigint: true });
  return `${JSON.stringify([path, String(size), String(mtimeNs)])}\n`;
}
