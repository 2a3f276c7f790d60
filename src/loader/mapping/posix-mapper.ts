/**
 * `mmap` of Linux and macOS through koffi. Run on Linux x64 only; on macOS, whose manual gives the constants the same
 * values, MADV_DONTNEED is a hint: pages go when memory is short.
 */
import koffi from 'koffi';
import { reasonOf } from '../../errors.js';
import { MappingRefused, type MappableFile, type MappedWindow, type MemoryMapper } from './memory-mapper.js';

const PROT_READ = 1;
const MAP_PRIVATE = 2;
const MADV_WILLNEED = 3;
const MADV_DONTNEED = 4;

export function posixMapper(): MemoryMapper {
  const libc = koffi.load(null);
  const mmap = libc.func('mmap', 'intptr_t', ['intptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']);
  const munmap = libc.func('munmap', 'int', ['intptr_t', 'size_t']);
  const madvise = libc.func('madvise', 'int', ['intptr_t', 'size_t', 'int']);
  const getpagesize = libc.func('getpagesize', 'int', []);

  const pageBytes = getpagesize() as number;

  const map = ({ fd }: MappableFile, begin: number, end: number): MappedWindow => {
    const length = end - begin;
    // Private, because some network and FUSE file systems refuse shared mappings; nothing is ever written.
    const address = mmap(0, length, PROT_READ, MAP_PRIVATE, fd, begin) as number | bigint;
    if (address === -1) throw new MappingRefused(`mmap failed with ${errnoName(koffi.errno())}`);
    const unmap = (): void => {
      munmap(address, length);
    };
    try {
      return {
        buffer: koffi.view(BigInt(address), length),
        unmap,
        address: BigInt(address),
        advise: (advice, from, to) => {
          // Whole pages: all that are touched to be read, only those that are covered to be dropped.
          const first = (advice === 'needed' ? Math.floor : Math.ceil)(from / pageBytes) * pageBytes;
          const last = advice === 'needed' || to === length ? to : Math.floor(to / pageBytes) * pageBytes;
          if (last <= first) return;
          madvise(BigInt(address) + BigInt(first), last - first, advice === 'needed' ? MADV_WILLNEED : MADV_DONTNEED);
        },
      };
    } catch (error) {
      // Some hosts of V8 (Electron) forbid buffers over foreign memory.
      unmap();
      throw new MappingRefused(reasonOf(error));
    }
  };
  return { pageBytes, map, view: (address, byteLength) => koffi.view(address, byteLength) };
}

function errnoName(errno: number): string {
  return Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
}
