/** The files of weights in this process's address space, shared with the page cache. */
import { open, stat } from 'node:fs/promises';
import koffi from 'koffi';
import { errorText, option } from '../../../../error-text.js';
import { Blip2Error } from '../../../../errors.js';
import type { StoredTensor } from '../../../../loader/format/stored-tensor.js';
import type { Address, AskedPiece, DeviceMemory, HostRange } from '../../../device/memory/device-memory.js';
import type { PageLocker } from '../../../device/memory/driver-thread.js';
import { lockedPieces } from '../../../device/memory/locked-pieces.js';

const PROT_READ = 1;
/** Shared, because drivers pin pages of shared mappings in place and would copy those of private ones. */
const MAP_SHARED = 1;

interface MappedFile {
  readonly address: Address;
  readonly sizeBytes: number;
  /** Pieces that a thread was asked for, once it is done with all. */
  asked?: Promise<readonly AskedPiece[]>;
  unpin: () => void;
}

const NOT_PINNED = (): void => undefined;

interface Libc {
  readonly mmap: (
    at: number,
    bytes: number,
    access: number,
    flags: number,
    file: number,
    begin: number,
  ) => number | bigint;
  readonly munmap: (address: Address, bytes: number) => number;
}

let libc: Libc | undefined;

function openLibc(): Libc {
  const library = koffi.load(null);
  return {
    mmap: library.func('intptr_t mmap(intptr_t, size_t, int, int, int, int64_t)') as Libc['mmap'],
    munmap: library.func('int munmap(intptr_t, size_t)') as Libc['munmap'],
  };
}

export class WeightFiles implements Disposable {
  readonly #files = new Map<string, MappedFile>();
  readonly #libc: Libc;
  #pinning: Promise<unknown> = Promise.resolve();
  #unlock: (pieces: readonly HostRange[]) => Promise<void> = () => Promise.resolve();

  private constructor(own: Libc) {
    this.#libc = own;
  }

  /**
   * @param begun files that are mapped already: what is missing is mapped beside them
   * @throws Blip2Error `WEIGHTS_NOT_MAPPED` where the system maps no files this way
   */
  static async open(tensors: Iterable<StoredTensor>, begun: WeightFiles | null = null): Promise<WeightFiles> {
    if (process.platform === 'win32') {
      throw new Blip2Error('WEIGHTS_NOT_MAPPED', 'weights for a GPU are mapped on Linux only', {
        hint: errorText`Use the CPU, with ${option('provider')} cpu.`,
      });
    }
    libc ??= openLibc();
    const files = begun ?? new WeightFiles(libc);
    try {
      for (const [path, { end }] of rangesOf(tensors)) await files.#map(path, end);
      return files;
    } catch (error) {
      await files.drop();
      throw error;
    }
  }

  async #map(path: string, end: number): Promise<void> {
    const before = this.#files.get(path);
    if (before !== undefined && before.sizeBytes >= end) return;
    const { size } = await stat(path);
    if (size < end || before !== undefined) throw notMapped(path, size, end);
    await using handle = await open(path);
    const address = BigInt(this.#libc.mmap(0, size, PROT_READ, MAP_SHARED, handle.fd, 0));
    if (address === -1n) throw notMapped(path, size, end);
    this.#files.set(path, { address, sizeBytes: size, unpin: NOT_PINNED });
  }

  addressOf({ file, begin }: StoredTensor): Address {
    const mapped = this.#files.get(file);
    if (mapped === undefined) throw new Error(`${file} is not mapped`);
    return mapped.address + BigInt(begin);
  }

  bytesOf(tensor: StoredTensor): Uint8Array {
    return new Uint8Array(koffi.view(this.addressOf(tensor), tensor.end - tensor.begin));
  }

  /** Has pages locked that are to be pinned: `pin` for the same tensors, or fewer, takes them over, and has the others unlocked. */
  lock(tensors: Iterable<StoredTensor>, locker: PageLocker): void {
    for (const [file, range] of this.#rangesIn(tensors)) {
      const ask = async (piece: HostRange) => ({ range: piece, isLocked: await locker.lockPages(piece) });
      file.asked = Promise.all(lockedPieces(range).map(ask));
      this.#unlock = async (pieces) => void (await Promise.all(pieces.map((piece) => locker.unlockPages(piece))));
    }
  }

  /** Makes copies of these tensors fast, to all devices of the memory's kind: see `pinned`. */
  pin(tensors: Iterable<StoredTensor>, memory: DeviceMemory): void {
    const pins = [...this.#rangesIn(tensors)].map(async ([file, { address, bytes }]) => {
      const { asked } = file;
      delete file.asked;
      file.unpin = await memory.pin(address, bytes, asked);
    });
    const done = [...pins, this.#unlockRest()];
    this.#pinning = Promise.allSettled(done).then(() => Promise.all(done));
    // Whoever waits for it hears of it.
    this.#pinning.catch(() => undefined);
  }

  *#rangesIn(tensors: Iterable<StoredTensor>): Generator<[MappedFile, HostRange]> {
    for (const [path, { begin, end }] of rangesOf(tensors)) {
      const file = this.#files.get(path);
      const from = begin - (begin % PAGE_BYTES);
      if (file !== undefined) yield [file, { address: file.address + BigInt(from), bytes: end - from }];
    }
  }

  /** Once files are pinned that are to be. Before, they stay mapped: nothing disposes of them. */
  async pinned(): Promise<void> {
    await this.#pinning;
  }

  /** Files from which nothing is copied any more need not stay in memory. */
  unpinAllBut(streamed: Iterable<StoredTensor>): void {
    const kept = new Set([...streamed].map(({ file }) => file));
    for (const [path, file] of this.#files) {
      if (kept.has(path)) continue;
      file.unpin();
      file.unpin = NOT_PINNED;
    }
  }

  /** What is locked and pinned by nobody: where all tensors of a file were converted, say. */
  async #unlockRest(): Promise<void> {
    for (const file of this.#files.values()) {
      const { asked = [] } = file;
      delete file.asked;
      const locked = (await asked).filter(({ isLocked }) => isLocked === true);
      await this.#unlock(locked.map(({ range }) => range));
    }
  }

  /** Of whoever locked them and pins nothing. */
  async drop(): Promise<void> {
    await this.#unlockRest();
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const { address, sizeBytes, unpin } of this.#files.values()) {
      unpin();
      this.#libc.munmap(address, sizeBytes);
    }
    this.#files.clear();
  }
}

function notMapped(path: string, sizeBytes: number, neededBytes: number): Blip2Error {
  return new Blip2Error(
    'WEIGHTS_NOT_MAPPED',
    `${path} (${sizeBytes} bytes) cannot be mapped up to byte ${neededBytes}`,
    {
      hint: 'Check that the file is complete (blip2-shard verify) and that nothing rewrites it.',
      details: { path, sizeBytes, neededBytes },
    },
  );
}

/** Multiples of this are page borders on every system that drivers for GPUs exist for. */
const PAGE_BYTES = 65_536;

function rangesOf(tensors: Iterable<StoredTensor>): Map<string, { begin: number; end: number }> {
  const ranges = new Map<string, { begin: number; end: number }>();
  for (const { file, begin, end } of tensors) {
    const range = ranges.get(file);
    if (range === undefined) ranges.set(file, { begin, end });
    else ranges.set(file, { begin: Math.min(range.begin, begin), end: Math.max(range.end, end) });
  }
  return ranges;
}
