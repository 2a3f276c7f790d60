import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import * as z from 'zod';
import { isUrlText } from '../../runtime/image/picture-source.js';
import { isBucketUrl } from '../bucket/bucket.js';
import type { InputPicture } from './input-picture.js';
import type { FoundPicture } from './picture-reader.js';

const localFile = z.object({ path: z.string(), size: z.number(), mtimeMs: z.number() });

/** What a picture was read from, and what tells it from a later one in its place: of a file its time, of what was fetched its bytes. */
export const readFileSchema = z.union([localFile, z.object({ sha256: z.string() })]);

export type ReadFile = z.infer<typeof readFileSchema>;

/** @returns undefined for what is not in a file of this machine, or in none that there is */
export async function readFileOf(picture: InputPicture, { source }: FoundPicture): Promise<ReadFile | undefined> {
  const path = typeof source === 'string' ? source : containerOf(picture);
  return path === undefined || /^https?:/i.test(path) || isBucketUrl(path) ? undefined : seen(path);
}

export const fetchedFile = (bytes: Uint8Array) => ({
  sha256: createHash('sha256').update(bytes).digest('hex'),
});

/** Whether no other file is in its place, as far as that is seen without fetching it. What has gone keeps the caption that it has. */
export async function isUnchanged(file: ReadFile): Promise<boolean> {
  if ('sha256' in file) return true;
  const now = await seen(file.path);
  return now === undefined || (now.size === file.size && now.mtimeMs === file.mtimeMs);
}

/** Whether bytes that have just been read again are those that were captioned. */
export async function isReadAgain(file: ReadFile, bytes: Uint8Array): Promise<boolean> {
  return 'sha256' in file ? fetchedFile(bytes).sha256 === file.sha256 : isUnchanged(file);
}

/** The archive or table that a picture lies in. */
function containerOf(picture: InputPicture): string | undefined {
  return 'tar' in picture ? picture.tar : 'parquet' in picture ? picture.parquet : undefined;
}

async function seen(path: string): Promise<z.infer<typeof localFile> | undefined> {
  try {
    const { size, mtimeMs } = await stat(isUrlText(path) ? new URL(path) : path);
    return { path, size, mtimeMs };
  } catch {
    return undefined;
  }
}
