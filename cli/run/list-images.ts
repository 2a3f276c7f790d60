import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isUrlText } from '../../src/runtime/image/picture-source.js';
import { usageError } from '../common/main.js';

/** What a folder is searched for: the formats that the picture decoder reads. */
const IMAGE_EXTENSION = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;

/** Stands for a list of paths on stdin. */
const STDIN_LIST = '-';

/**
 * The pictures that a command line names: files and URLs as they stand, the pictures of folders in name order, and for `STDIN_LIST` one
 * path or URL per line of stdin.
 * @throws Blip2Error `USAGE` for a path that does not exist and for a folder without a picture.
 */
export async function listImages(args: readonly string[]): Promise<string[]> {
  const paths: string[] = [];
  for (const arg of args) {
    if (arg === STDIN_LIST) paths.push(...(await stdinLines()));
    else paths.push(...(await expand(arg)));
  }
  return paths;
}

async function expand(path: string): Promise<string[]> {
  if (isUrlText(path)) return [path];
  const entry = await stat(path).catch(() => null);
  if (entry === null)
    throw usageError(`there is no picture at ${path}`, 'Name picture files, URLs, folders, or - for a list on stdin.');
  if (!entry.isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => IMAGE_EXTENSION.test(name)).toSorted();
  if (names.length === 0) throw usageError(`the folder ${path} holds no picture (jpg, png, webp, gif, tiff, avif)`);
  return names.map((name) => join(path, name));
}

async function stdinLines(): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    if (line !== '') lines.push(line);
  }
  return lines;
}
