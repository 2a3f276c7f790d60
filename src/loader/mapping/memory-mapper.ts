/** The operating system's memory mapping, as far as the loader needs it: read-only, of files, by window. */

/** A window of a file in memory. */
export interface MappedWindow {
  /** Read-only memory: a write to it ends the process. */
  readonly buffer: ArrayBuffer;
  /** Takes the memory away. Any view that is still in use reads unmapped memory after this, so detach it before. */
  readonly unmap: () => void;
  /** Drops the window's pages from this process; the next access reads them again. */
  readonly release: () => void;
}

export interface MemoryMapper {
  /** Offsets of windows have to be multiples of this. */
  readonly pageBytes: number;
  /**
   * Maps `[begin, end)` of an open file. The mapping outlives the file descriptor.
   * @throws MappingRefused where the system does not map this file.
   */
  map(fd: number, begin: number, end: number): MappedWindow;
}

/** The system cannot map this file: not an error of the checkpoint, reading may still work. */
export class MappingRefused extends Error {
  override readonly name = 'MappingRefused';
}

/** null where this system has no mapper, or where koffi cannot be loaded. */
export async function loadMemoryMapper(): Promise<MemoryMapper | null> {
  if (process.platform === 'win32') return null;
  try {
    const { posixMapper } = await import('./posix-mapper.js');
    return posixMapper();
  } catch {
    return null;
  }
}
