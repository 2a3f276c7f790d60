import { normalize, relative, sep } from 'node:path';
import { isUrlText } from '../../runtime/image/picture-source.js';
import { isBucketUrl } from '../bucket/bucket.js';
import { filePicture, posix } from './file-picture.js';
import type { InputOptions } from './input-options.js';
import type { FilePicture, InputPicture } from './input-picture.js';

/**
 * The pictures of all arguments in their order, whatever they lie in. Of archives and tables only headers are read.
 * @throws Blip2Error `INPUT_INVALID` for an archive, a table or a list that is not whole; what `expand` throws
 */
export async function* listInputs(args: readonly string[], options: InputOptions): AsyncGenerator<InputPicture, void> {
  for (const arg of args) {
    if (isUrlText(arg)) yield filePicture(arg);
    else if (/\.(jsonl|ndjson)$/i.test(arg)) yield* (await import('./jsonl-input.js')).jsonlPictures(arg, options);
    else if (/\.(tar|tar\.gz|tgz)$/i.test(arg)) yield* (await import('./tar-input.js')).tarPictures(arg);
    else if (/\.parquet$/i.test(arg)) yield* (await import('./parquet-input.js')).parquetPictures(arg, options);
    else if (isBucketUrl(arg)) yield* (await import('./bucket-input.js')).bucketPictures(arg);
    else yield* expanded(arg, await options.expand(arg));
  }
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
