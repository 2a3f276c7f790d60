import { stat } from 'node:fs/promises';
import * as z from 'zod';
import { isUrlText } from '../../runtime/image/picture-source.js';
import { isBucketUrl } from '../bucket/bucket.js';
import type { InputPicture } from './input-picture.js';
import type { FoundPicture } from './picture-reader.js';

/** A file that a picture was read from, and what tells it from a later one of its name. */
export const readFileSchema = z.object({ path: z.string(), size: z.number(), mtimeMs: z.number() });

export type ReadFile = z.infer<typeof readFileSchema>;

/** @returns undefined for what is not in a file of this machine, or in none that there is */
export async function readFileOf(picture: InputPicture, { source }: FoundPicture): Promise<ReadFile | undefined> {
  const path = typeof source === 'string' ? source : 'tar' in picture ? picture.tar : undefined;
  return path === undefined || /^https?:/i.test(path) || isBucketUrl(path) ? undefined : seen(path);
}

/** Whether no other file is in its place. What has gone keeps the caption that it has. */
export async function isUnchanged(file: ReadFile): Promise<boolean> {
  const now = await seen(file.path);
  return now === undefined || (now.size === file.size && now.mtimeMs === file.mtimeMs);
}

async function seen(path: string): Promise<ReadFile | undefined> {
  try {
    const { size, mtimeMs } = await stat(isUrlText(path) ? new URL(path) : path);
    return { path, size, mtimeMs };
  } catch {
    return undefined;
  }
}
