import { readdir } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { usageError } from '../common/main.js';

/** What stands in an argument for bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';

/**
 * The path that an argument was before it was read as UTF-8, looked for among the names of its folder.
 * @returns null where there is none
 * @throws Blip2Error `USAGE` where there is more than one
 */
export async function rawPath(argument: string): Promise<Buffer | null> {
  let path = Buffer.from(isAbsolute(argument) ? '/' : '');
  for (const part of argument.split('/').filter((name) => name !== '')) {
    const names = part.includes(REPLACEMENT) ? await namesLike(path, part) : [Buffer.from(part)];
    const [name, ...others] = names;
    if (name === undefined) return null;
    if (others.length > 0) {
      throw usageError(
        `${argument} stands for ${names.length} files whose names are not UTF-8`,
        'Name their folder, or the one that is meant as a file: URL.',
      );
    }
    const between = path.length === 0 || path.at(-1) === 0x2f ? '' : '/';
    path = Buffer.concat([path, Buffer.from(between), name]);
  }
  return path;
}

async function namesLike(folder: Buffer, part: string): Promise<Buffer[]> {
  const names = await readdir(folder.length === 0 ? '.' : folder, { encoding: 'buffer' }).catch(() => []);
  return names.filter((name) => name.toString() === part);
}
