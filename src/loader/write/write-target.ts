import { lstat, realpath, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';

/** What lies under a name that is to be written. Links are followed: what is replaced is the file, never the link to it. */
type WriteTarget =
  | { readonly kind: 'none'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string }
  /** Nothing that can be replaced: a device, a FIFO, a socket, a folder, or a link to what is not there. */
  | { readonly kind: 'device' | 'FIFO' | 'socket' | 'folder' | 'disk' | 'broken link'; readonly path: string };

/** @throws the system's error, other than that there is nothing */
export async function writeTarget(path: string): Promise<WriteTarget> {
  // The name first: where a file appears or goes in between, it is no link that leads nowhere.
  const named = await orNull(lstat(path));
  const stats = named === null ? null : await orNull(stat(path));
  if (stats === null) return { kind: named?.isSymbolicLink() === true ? 'broken link' : 'none', path };
  if (!stats.isFile()) return { kind: specialKind(stats), path };
  const file = await orNull(realpath(path));
  return file === null ? { kind: 'none', path } : { kind: 'file', path: file };
}

function specialKind(stats: Stats): 'device' | 'FIFO' | 'socket' | 'folder' | 'disk' {
  if (stats.isDirectory()) return 'folder';
  if (stats.isFIFO()) return 'FIFO';
  if (stats.isSocket()) return 'socket';
  return stats.isBlockDevice() ? 'disk' : 'device';
}

async function orNull<T>(looking: Promise<T>): Promise<T | null> {
  return looking.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}
