import type { MemoryMapper } from './memory-mapper.js';

let mapper: MemoryMapper | undefined;

/** null where koffi cannot be loaded, or the system's calls are not found: files are read then. */
export async function loadMemoryMapper(): Promise<MemoryMapper | null> {
  try {
    return (mapper ??=
      process.platform === 'win32'
        ? (await import('./windows-mapper.js')).windowsMapper()
        : (await import('./posix-mapper.js')).posixMapper());
  } catch {
    return null;
  }
}
