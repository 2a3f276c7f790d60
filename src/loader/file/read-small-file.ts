import { constants, open } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { formatSize } from '../../size.js';

/**
 * The bytes of a file that is read whole: configuration, not weights. What is no file, such as a pipe or a device that never
 * ends, is refused before it is read, and so is what is too long.
 * @throws Error that says so; the system's error
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<Buffer> {
  // Without it, opening a pipe waits for somebody who writes into it.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error(`it is ${kindOf(stats)}, not a file`);
    if (stats.size > maxBytes) {
      throw new Error(`it has ${formatSize(stats.size)}; at most ${formatSize(maxBytes)} are read`);
    }
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** What a path leads to that is no file. */
export function kindOf(stats: Pick<Stats, 'isDirectory' | 'isFIFO' | 'isSocket'>): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}
