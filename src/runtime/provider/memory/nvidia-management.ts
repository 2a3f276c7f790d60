/** NVIDIA's management library: what a card's memory holds, seen from outside, without a context that would take some of it. */
import koffi from 'koffi';

const LIBRARY: Partial<Record<NodeJS.Platform, string>> = { linux: 'libnvidia-ml.so.1', win32: 'nvml.dll' };

export interface CardMemory {
  readonly totalBytes: number;
  /** Of all processes. */
  readonly freeBytes: number;
}

type MemoryReader = (pciBusId: string) => CardMemory | null;

let reader: MemoryReader | undefined;

/** @returns null where the library is absent or does not know the card */
export function cardMemory(pciBusId: string): CardMemory | null {
  reader ??= openReader();
  return reader(pciBusId);
}

function openReader(): MemoryReader {
  const name = LIBRARY[process.platform];
  if (name === undefined) return () => null;
  try {
    // Kept for ever with the functions: a handle that is collected closes the library under its callers.
    const library = koffi.load(name);
    if (library.func('int nvmlInit_v2()')() !== 0) return () => null;
    const handleOf = library.func('int nvmlDeviceGetHandleByPciBusId_v2(str, _Out_ void**)');
    const memoryOf = library.func('int nvmlDeviceGetMemoryInfo(void*, void*)');
    return (pciBusId) => {
      const slot: [unknown] = [null];
      // `nvmlMemory_t`: total, free, used.
      const info = new BigUint64Array(3);
      if (handleOf(pciBusId, slot) !== 0 || memoryOf(slot[0], info) !== 0) return null;
      const [total = 0n, free = 0n] = info;
      return { totalBytes: Number(total), freeBytes: Number(free) };
    };
  } catch {
    return () => null;
  }
}
