/** The operating system's memory mapping, as far as the loader needs it: read-only, of files, by window. */

/** A window of a file in memory. */
export interface MappedWindow {
  /** Read-only memory: a write to it ends the process. */
  readonly buffer: ArrayBuffer;
  /** Takes the memory away. Any view that is still in use reads unmapped memory after this, so detach it before. */
  readonly unmap: () => void;
  /** Where the window begins in the address space of the process, the same for all of its threads. */
  readonly address: bigint;
  /**
   * Says what becomes of `[begin, end)` of the window: `needed` starts reading it into the page cache, `done` drops its
   * pages from this process, and the next access brings them back.
   */
  readonly advise: (advice: 'needed' | 'done', begin: number, end: number) => void;
}

/** An open file, by the names that systems map it by. */
export interface MappableFile {
  readonly fd: number;
  /** Absolute. */
  readonly path: string;
}

export interface MemoryMapper {
  /** Offsets of windows have to be multiples of this. */
  readonly pageBytes: number;
  /**
   * Maps `[begin, end)` of an open file. The mapping outlives its being open.
   * @throws MappingRefused where the system does not map this file.
   */
  map(file: MappableFile, begin: number, end: number): MappedWindow;
  /** Memory of this process as a buffer that does not own it. */
  view(address: bigint, byteLength: number): ArrayBuffer;
}

/** The system cannot map this file: not an error of the checkpoint, reading may still work. */
export class MappingRefused extends Error {
  override readonly name = 'MappingRefused';
}
