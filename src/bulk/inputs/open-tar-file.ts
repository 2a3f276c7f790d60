import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { readChunks } from '../../loader/file/read-chunks.js';
import { reasonOf } from '../../errors.js';
import { isBucketUrl } from '../bucket/bucket.js';
import { ObjectSource } from '../bucket/object-source.js';
import { invalidInput } from './input-picture.js';
import { ForwardTarFile } from './forward-tar-file.js';
import { PlainTarFile, type TarFile } from './tar-file.js';

/** Up to here, reading on takes a store no longer than beginning anew. */
const MOST_PASSED_BYTES = 8 * 1024 * 1024;

/**
 * Opens an archive of a folder or a bucket. One that is compressed is unpacked from its start on. Whether it is, is seen in
 * its first bytes: archives that are carry either name.
 * @throws Blip2Error `INPUT_INVALID` where there is none; `PACKAGE_MISSING`, `BUCKET_FAILED`
 */
export async function openTarFile(path: string): Promise<TarFile> {
  if (isBucketUrl(path)) return openStoredTarFile(await ObjectSource.open(path));
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw invalidInput(path, `cannot be read: ${reasonOf(cause)}`, 'See that it is there, and may be read.', cause);
  });
  try {
    const magic = Buffer.alloc(MAGIC_BYTES);
    const { bytesRead } = await handle.read(magic, 0, MAGIC_BYTES, 0);
    if (!isGzip(magic.subarray(0, bytesRead), path)) return new PlainTarFile(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return new ForwardTarFile({
    open: () => ({ position: 0, chunks: unpacked(createReadStream(path)) }),
    mostPassedBytes: Infinity,
    close: () => Promise.resolve(),
  });
}

async function openStoredTarFile(source: ObjectSource): Promise<TarFile> {
  const { sizeBytes } = source;
  const close = () => source[Symbol.asyncDispose]();
  try {
    if (isGzip(await source.read(0, Math.min(MAGIC_BYTES, sizeBytes)), source.path)) {
      return new ForwardTarFile({
        open: () => ({ position: 0, chunks: unpacked(Readable.from(readChunks(source, 0, sizeBytes))) }),
        mostPassedBytes: Infinity,
        close,
      });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return new ForwardTarFile({
    open: (offset) => ({ position: offset, chunks: readChunks(source, offset, sizeBytes) }),
    mostPassedBytes: MOST_PASSED_BYTES,
    close,
  });
}

const MAGIC_BYTES = 6;

/** How files begin that other programs have packed, and those that unpack them. */
const OTHER_PACKINGS: readonly (readonly [program: string, magic: RegExp])[] = [
  ['bzip2', /^BZh[1-9]/],
  ['xz', /^\xfd7zXZ\0/],
  ['zstd', /^\x28\xb5\x2f\xfd/],
];

/** @throws Blip2Error `INPUT_INVALID` for what is packed otherwise */
function isGzip(magic: Uint8Array, path: string): boolean {
  const text = Buffer.from(magic).toString('latin1');
  const program = OTHER_PACKINGS.find(([, begin]) => begin.test(text))?.[0];
  if (program === undefined) return text.startsWith('\x1f\x8b');
  throw invalidInput(
    path,
    `is packed by ${program}; archives are read as they are, or packed by gzip`,
    `Unpack it first (${program} -d), or pack it by gzip.`,
  );
}

/** @param bytes the compressed archive from its start on */
function unpacked(bytes: Readable): AsyncIterator<Uint8Array, void> {
  const gunzip = createGunzip();
  // A failure of either stream is what reading the last one throws.
  pipeline(bytes, gunzip, () => undefined);
  return gunzip[Symbol.asyncIterator]();
}
