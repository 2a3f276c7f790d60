/** Bytes of a file in order, the next chunk being read while the last is used. */
import type { ByteSource } from '../format/read-header.js';

const CHUNK_BYTES = 4 * 1024 * 1024;

export async function* readChunks(source: ByteSource, begin: number, end: number): AsyncGenerator<Uint8Array, void> {
  let next = begin < end ? source.read(begin, Math.min(end, begin + CHUNK_BYTES)) : null;
  for (let position = begin; next !== null;) {
    const chunk = await next;
    position += chunk.length;
    next = position < end ? source.read(position, Math.min(end, position + CHUNK_BYTES)) : null;
    // A failure of the read in flight is seen when it is awaited; until then it is nobody's.
    next?.catch(() => undefined);
    yield chunk;
  }
}
