/** How fast files come from where the caches are, not from the page cache. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

const CHUNK_BYTES = 4 * 2 ** 20;
const LONGEST_MS = 2000;

/** Bytes per second of reading a file that is on disk; null where the system cannot read past its page cache. */
export async function diskRate(file: string): Promise<number | null> {
  // Linux only; the constant is missing elsewhere.
  const direct: number | undefined = constants.O_DIRECT;
  if (process.platform !== 'linux' || direct === undefined) return null;
  let handle;
  try {
    handle = await open(file, constants.O_RDONLY | direct);
  } catch {
    return null;
  }
  try {
    // Direct reads need memory on a page border, which WebAssembly's is.
    const memory = new WebAssembly.Memory({ initial: CHUNK_BYTES / 65_536 });
    const chunk = new Uint8Array(memory.buffer);
    const start = performance.now();
    let bytes = 0;
    while (performance.now() - start < LONGEST_MS) {
      const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, bytes);
      if (bytesRead < CHUNK_BYTES) break;
      bytes += bytesRead;
    }
    return bytes === 0 ? null : (1000 * bytes) / (performance.now() - start);
  } catch {
    return null;
  } finally {
    await handle.close();
  }
}
