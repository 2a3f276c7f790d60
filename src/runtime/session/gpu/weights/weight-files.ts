/** The files of weights in this process's address space, shared with the page cache. */
import { open, stat } from 'node:fs/promises';
import koffi from 'koffi';
import { errorText, option } from '../../../../error-text.js';
import { Blip2Error } from '../../../../errors.js';
import type { StoredTensor } from '../../../../loader/format/stored-tensor.js';
import type { Address, DeviceMemory } from '../../../device/memory/device-memory.js';

const PROT_READ = 1;
/** Shared, because drivers pin pages of shared mappings in place and would copy those of private ones. */
const MAP_SHARED = 1;

interface MappedFile {
  readonly address: Address;
  readonly sizeBytes: number;
  unpin: () => void;
}

const NOT_PINNED = (): void => undefined;

export class WeightFiles implements Disposable {
  readonly #files: Map<string, MappedFile>;
  readonly #unmap: (file: MappedFile) => void;
  #pinning: Promise<unknown> = Promise.resolve();

  private constructor(files: Map<string, MappedFile>, unmap: (file: MappedFile) => void) {
    this.#files = files;
    this.#unmap = unmap;
  }

  /** @throws Blip2Error `WEIGHTS_NOT_MAPPED` where the system maps no files this way */
  static async open(tensors: Iterable<StoredTensor>): Promise<WeightFiles> {
    if (process.platform === 'win32') {
      throw new Blip2Error('WEIGHTS_NOT_MAPPED', 'weights for a GPU are mapped on Linux only', {
        hint: errorText`Use the CPU, with ${option('provider')} cpu.`,
      });
    }
    const libc = koffi.load(null);
    const mmap = libc.func('intptr_t mmap(intptr_t, size_t, int, int, int, int64_t)');
    const munmap = libc.func('int munmap(intptr_t, size_t)');
    const files = new Map<string, MappedFile>();
    const mapped = new WeightFiles(files, ({ address, sizeBytes }) => void munmap(address, sizeBytes));
    try {
      for (const [path, { end }] of rangesOf(tensors)) {
        const { size } = await stat(path);
        if (size < end) throw notMapped(path, size, end);
        await using handle = await open(path);
        const address = BigInt(mmap(0, size, PROT_READ, MAP_SHARED, handle.fd, 0) as number | bigint);
        if (address === -1n) throw notMapped(path, size, end);
        files.set(path, { address, sizeBytes: size, unpin: NOT_PINNED });
      }
      return mapped;
    } catch (error) {
      mapped[Symbol.dispose]();
      throw error;
    }
  }

  addressOf({ file, begin }: StoredTensor): Address {
    const mapped = this.#files.get(file);
    if (mapped === undefined) throw new Error(`${file} is not mapped`);
    return mapped.address + BigInt(begin);
  }

  bytesOf(tensor: StoredTensor): Uint8Array {
    return new Uint8Array(koffi.view(this.addressOf(tensor), tensor.end - tensor.begin));
  }

  /** Makes copies of these tensors fast, to all devices of the memory's kind: see `pinned`. */
  pin(tensors: Iterable<StoredTensor>, memory: DeviceMemory): void {
    const pins = [...rangesOf(tensors)].map(async ([path, { begin, end }]) => {
      const file = this.#files.get(path);
      if (file === undefined) return;
      const from = begin - (begin % PAGE_BYTES);
      file.unpin = await memory.pin(file.address + BigInt(from), end - from);
    });
    this.#pinning = Promise.allSettled(pins).then(() => Promise.all(pins));
    // Whoever waits for it hears of it.
    this.#pinning.catch(() => undefined);
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

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) {
      file.unpin();
      this.#unmap(file);
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
