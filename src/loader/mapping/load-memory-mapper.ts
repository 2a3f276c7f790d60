import type { MemoryMapper } from './memory-mapper.js';

/** null where koffi cannot be loaded, or the system's calls are not found: files are read then. */
export async function loadMemoryMapper(): Promise<MemoryMapper | null> {
  try {
    if (process.platform === 'win32') return (await import('./windows-mapper.js')).windowsMapper();
    const { posixMapper } = await import('./posix-mapper.js');
    return posixMapper();
  } catch {
    return null;
  }
}
