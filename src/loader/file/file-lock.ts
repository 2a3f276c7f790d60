/** The system's lock on an open file, which ends with the process that has it, however that ends. */
import { open, stat, type FileHandle } from 'node:fs/promises';

const LOCK_EXCLUSIVE = 2;
const LOCK_NO_WAIT = 4;

type Flock = (fd: number) => boolean | null;

let flock: Promise<Flock | null> | undefined;

/**
 * Takes the lock of the file behind `fd` until that is closed, without waiting. Processes of other containers on the same
 * machine see it; of a network file system, other machines where it passes locks on.
 * @returns false where somebody else has it; null where there are no locks: on Windows, and where the file system has none
 */
export async function lockFile(fd: number): Promise<boolean | null> {
  flock ??= loadFlock();
  return (await flock)?.(fd) ?? null;
}

/**
 * Opens a file, which is made where it is not there, and takes its lock.
 * @returns null where somebody else has it
 */
export async function openLocked(path: string): Promise<FileHandle | null> {
  for (;;) {
    const handle = await open(path, 'a');
    const isTaken = (await lockFile(handle.fd)) === false;
    // Whoever had it may have removed or renamed the file before it was ours.
    if (!isTaken && (await isAt(path, handle))) return handle;
    await handle.close();
    if (isTaken) return null;
  }
}

/** In one folder an inode says it, and no other file gets that of one that is open. Windows numbers one volume in two ways. */
async function isAt(path: string, handle: FileHandle): Promise<boolean> {
  const [there, held] = await Promise.all([stat(path).catch(() => null), handle.stat()]);
  return there?.ino === held.ino;
}

async function loadFlock(): Promise<Flock | null> {
  if (process.platform === 'win32') return null;
  try {
    const { default: koffi } = await import('koffi');
    const call = koffi.load(null).func('flock', 'int', ['int', 'int']) as (fd: number, operation: number) => number;
    const taken = koffi.os.errno['EAGAIN'];
    return (fd) => (call(fd, LOCK_EXCLUSIVE | LOCK_NO_WAIT) === 0 ? true : koffi.errno() === taken ? false : null);
  } catch {
    return null;
  }
}
