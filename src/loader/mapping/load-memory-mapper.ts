import type { MemoryMapper } from './memory-mapper.js';

/** null where this system has no mapper (Windows), or where koffi cannot be loaded: files are read then. */
export async function loadMemoryMapper(): Promise<MemoryMapper | null> {
  if (process.platform === 'win32') return null;
  try {
    const { posixMapper } = await import('./posix-mapper.js');
    return posixMapper();
  } catch {
    return null;
  }
}
