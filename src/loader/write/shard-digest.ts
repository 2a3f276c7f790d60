/**
 * What a written shard contains, as a hash that is made while it is written, in any order: SHA-256 over the header and the
 * SHA-256 of every stretch. It depends on how the file was cut, so it is for comparing with the same job only.
 */
import { createHash } from 'node:crypto';
import { FileSource } from '../file/file-source.js';
import type { FileLayout } from './file-layout.js';
import type { WriteRequest } from './make-stretch.js';
import { stretchRanges, type Stretch } from './stretches.js';

export function digestOfWrites(writes: readonly WriteRequest[]): Uint8Array {
  const hash = createHash('sha256');
  for (const { bytes } of writes) hash.update(bytes);
  return hash.digest();
}

export function digestOfShard({ front }: FileLayout, stretchDigests: Uint8Array): string {
  return createHash('sha256').update(front).update(stretchDigests).digest('hex');
}

export interface DigestOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The digest of a file that may be the written shard; null where its length or header is another.
 * @throws SafetensorsError `IoError`, `FileChanged`
 */
export async function digestOfFile(
  path: string,
  layout: FileLayout,
  stretches: readonly Stretch[],
  { signal }: DigestOptions = {},
): Promise<string | null> {
  await using source = await FileSource.open(path);
  if (source.sizeBytes !== layout.sizeBytes) return null;
  if (Buffer.compare(await source.read(0, layout.front.length), layout.front) !== 0) return null;
  const digests = createHash('sha256').update(layout.front);
  for (const stretch of stretches) {
    signal?.throwIfAborted();
    const hash = createHash('sha256');
    for (const { begin, end } of stretchRanges(stretch)) hash.update(await source.read(begin, end));
    digests.update(hash.digest());
  }
  return digests.digest('hex');
}
