/** NVIDIA's management library: what a card's memory holds and how it is linked, seen from outside, without a context that would take some of it. */
import koffi, { type LibraryHandle } from 'koffi';

const LIBRARY: Partial<Record<NodeJS.Platform, string>> = { linux: 'libnvidia-ml.so.1', win32: 'nvml.dll' };

export interface CardMemory {
  readonly totalBytes: number;
  /** Of all processes. */
  readonly freeBytes: number;
}

/** The link to the host as card and machine can have it: an idle card's is slower. */
export interface CardLink {
  /** Of PCI Express. */
  readonly generation: number;
  readonly lanes: number;
}

interface Readers {
  readonly memory: (pciBusId: string) => CardMemory | null;
  readonly link: (pciBusId: string) => CardLink | null;
  readonly driver: () => string | null;
}

const NOTHING: Readers = { memory: () => null, link: () => null, driver: () => null };
const VERSION_BYTES = 80;

let readers: Readers | undefined;

/** @returns null where the library is absent or does not know the card */
export function cardMemory(pciBusId: string): CardMemory | null {
  readers ??= openReaders();
  return readers.memory(pciBusId);
}

/** @returns null where the library is absent or does not tell */
export function cardLink(pciBusId: string): CardLink | null {
  readers ??= openReaders();
  return readers.link(pciBusId);
}

/** The driver's version, as `580.159.03`; null where the library is absent. */
export function driverVersion(): string | null {
  readers ??= openReaders();
  return readers.driver();
}

function openReaders(): Readers {
  const name = LIBRARY[process.platform];
  if (name === undefined) return NOTHING;
  try {
    // Kept for ever with the functions: a handle that is collected closes the library under its callers.
    const library = koffi.load(name);
    return library.func('int nvmlInit_v2()')() === 0 ? readersOf(library) : NOTHING;
  } catch {
    return NOTHING;
  }
}

function readersOf(library: LibraryHandle): Readers {
  const handleOf = library.func('int nvmlDeviceGetHandleByPciBusId_v2(str, _Out_ void**)');
  const memoryOf = library.func('int nvmlDeviceGetMemoryInfo(void*, void*)');
  const generationOf = library.func('int nvmlDeviceGetMaxPcieLinkGeneration(void*, _Out_ uint32_t*)');
  const lanesOf = library.func('int nvmlDeviceGetMaxPcieLinkWidth(void*, _Out_ uint32_t*)');
  const versionOf = library.func('int nvmlSystemGetDriverVersion(void*, uint32_t)');
  return {
    memory: (pciBusId) => {
      const slot: [unknown] = [null];
      // `nvmlMemory_t`: total, free, used.
      const info = new BigUint64Array(3);
      if (handleOf(pciBusId, slot) !== 0 || memoryOf(slot[0], info) !== 0) return null;
      const [total = 0n, free = 0n] = info;
      return { totalBytes: Number(total), freeBytes: Number(free) };
    },
    link: (pciBusId) => {
      const slot: [unknown] = [null];
      const [generation, lanes]: [[number], [number]] = [[0], [0]];
      if (handleOf(pciBusId, slot) !== 0) return null;
      if (generationOf(slot[0], generation) !== 0 || lanesOf(slot[0], lanes) !== 0) return null;
      return { generation: generation[0], lanes: lanes[0] };
    },
    driver: () => {
      const text = new Uint8Array(VERSION_BYTES);
      if (versionOf(text, text.length) !== 0) return null;
      return new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
    },
  };
}
