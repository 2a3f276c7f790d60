import { stat } from 'node:fs/promises';
import { normalize, relative, sep } from 'node:path';
import { isUrlText } from '../../runtime/image/picture-source.js';
import { isBucketUrl } from '../bucket/bucket.js';
import { filePicture, posix } from './file-picture.js';
import type { InputOptions } from './input-options.js';
import { invalidInput, type FilePicture, type InputPicture } from './input-picture.js';
import { CONTAINER_NAME } from './picture-name.js';

/**
 * The pictures of all arguments in their order, whatever they lie in. Of archives and tables only headers are read.
 * @throws Blip2Error `INPUT_INVALID` for an archive, a table or a list that is not whole; what `expand` throws
 */
export async function* listInputs(args: readonly string[], options: InputOptions): AsyncGenerator<InputPicture, void> {
  for (const arg of args) {
    const container = isUrlText(arg) ? undefined : await containerOf(arg);
    if (isUrlText(arg)) yield filePicture(arg);
    else if (container === 'jsonl') yield* (await import('./jsonl-input.js')).jsonlPictures(arg, options);
    else if (container === 'tar') yield* (await import('./tar-input.js')).tarPictures(arg);
    else if (container === 'parquet') yield* (await import('./parquet-input.js')).parquetPictures(arg, options);
    else if (isBucketUrl(arg)) yield* (await import('./bucket-input.js')).bucketPictures(arg);
    else yield* expanded(arg, await options.expand(arg));
  }
}

/** What a name stands for, unless a folder has it. Only files are opened: a FIFO may have no writer, for ever. */
async function containerOf(path: string): Promise<'jsonl' | 'tar' | 'parquet' | undefined> {
  const [, extension = ''] = CONTAINER_NAME.exec(path) ?? [];
  if (extension === '') return undefined;
  const entry = isBucketUrl(path) ? null : await stat(path).catch(() => null);
  if (entry?.isDirectory() === true) return undefined;
  if (entry !== null && !entry.isFile()) {
    throw invalidInput(path, 'is no regular file', 'Write what a FIFO or device gives into one first.');
  }
  if (/^parquet$/i.test(extension)) return 'parquet';
  return /json/i.test(extension) ? 'jsonl' : 'tar';
}

function* expanded(arg: string, paths: readonly string[]): Generator<FilePicture, void> {
  // A name that is not UTF-8 comes as a URL.
  const isInside = (path: string) => path !== arg && normalize(path).startsWith(folderPrefix(arg));
  const isFolder = paths.every((path) => isUrlText(path) || isInside(path));
  for (const path of paths) {
    yield isFolder && !isUrlText(path) ? { name: path, beneath: posix(relative(arg, path)) } : filePicture(path);
  }
}

const folderPrefix = (folder: string): string => {
  const normal = normalize(folder);
  return normal === '.' ? '' : normal.endsWith(sep) ? normal : `${normal}${sep}`;
};
