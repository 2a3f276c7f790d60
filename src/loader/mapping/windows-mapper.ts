/**
 * Views of files on Windows through koffi. Written after Microsoft's documentation of the calls and never run: where a
 * call fails, files are read instead, as on any system without a mapper.
 */
import koffi from 'koffi';
import { reasonOf } from '../../errors.js';
import { MappingRefused, type MappableFile, type MappedWindow, type MemoryMapper } from './memory-mapper.js';

const GENERIC_READ = 0x80000000;
/** Others may read, write, rename and delete meanwhile, as with any file that Node opens. */
const SHARE_ALL = 1 | 2 | 4;
const OPEN_EXISTING = 3;
const INVALID_HANDLE = -1;
const PAGE_READONLY = 2;
const FILE_MAP_READ = 4;
/** `dwAllocationGranularity`, which offsets of views are multiples of: 64 KiB on every Windows. */
const GRANULARITY_BYTES = 65_536;
/** Pages of x64 and ARM64 have 4 KiB. */
const PAGE_BYTES = 4096;

export function windowsMapper(): MemoryMapper {
  const kernel32 = koffi.load('kernel32.dll');
  const range = koffi.struct({ address: 'intptr_t', length: 'size_t' });
  const word = 'uint32_t';
  const handle = 'intptr_t';
  const createFile = kernel32.func('CreateFileW', handle, ['str16', word, word, handle, word, word, handle]);
  const createFileMapping = kernel32.func('CreateFileMappingW', handle, [handle, handle, word, word, word, 'str16']);
  const mapViewOfFile = kernel32.func('MapViewOfFile', 'intptr_t', [handle, word, word, word, 'size_t']);
  const unmapViewOfFile = kernel32.func('UnmapViewOfFile', 'int', ['intptr_t']);
  const closeHandle = kernel32.func('CloseHandle', 'int', [handle]);
  const currentProcess = kernel32.func('GetCurrentProcess', handle, []);
  const prefetch = kernel32.func('PrefetchVirtualMemory', 'int', [handle, 'size_t', koffi.pointer(range), word]);
  const unlock = kernel32.func('VirtualUnlock', 'int', ['intptr_t', 'size_t']);

  /** The view keeps the file and its mapping open, so their handles are closed at once. */
  const mapView = (path: string, begin: number, length: number): bigint => {
    const file = createFile(path, GENERIC_READ, SHARE_ALL, 0, OPEN_EXISTING, 0, 0) as number | bigint;
    if (Number(file) === INVALID_HANDLE) throw new MappingRefused('CreateFileW failed');
    const mapping = createFileMapping(file, 0, PAGE_READONLY, 0, 0, null) as number | bigint;
    closeHandle(file);
    if (Number(mapping) === 0) throw new MappingRefused('CreateFileMappingW failed');
    const [high, low] = [Math.floor(begin / 2 ** 32), begin % 2 ** 32];
    const address = mapViewOfFile(mapping, FILE_MAP_READ, high, low, length) as number | bigint;
    closeHandle(mapping);
    if (Number(address) === 0) throw new MappingRefused('MapViewOfFile failed');
    return BigInt(address);
  };

  const map = ({ path }: MappableFile, begin: number, end: number): MappedWindow => {
    const length = end - begin;
    const address = mapView(path, begin, length);
    const unmap = (): void => {
      unmapViewOfFile(address);
    };
    try {
      return {
        buffer: koffi.view(address, length),
        unmap,
        address,
        advise: (advice, from, to) => {
          if (advice === 'needed') {
            prefetch(currentProcess(), 1, { address: address + BigInt(from), length: to - from }, 0);
            return;
          }
          // Of pages that are not locked it says that they leave the working set.
          const first = Math.ceil(from / PAGE_BYTES) * PAGE_BYTES;
          const last = to === length ? to : Math.floor(to / PAGE_BYTES) * PAGE_BYTES;
          if (last > first) unlock(address + BigInt(first), last - first);
        },
      };
    } catch (error) {
      unmap();
      throw new MappingRefused(reasonOf(error));
    }
  };
  return { pageBytes: GRANULARITY_BYTES, map, view: (address, byteLength) => koffi.view(address, byteLength) };
}
