import { basename, isAbsolute, normalize, relative, sep } from 'node:path';
import { isUrlText } from '../../runtime/image/picture-source.js';
import type { FilePicture, InputPicture } from './input-picture.js';

export interface InputOptions {
  /** The paths that an argument stands for: a file itself, a folder's pictures, a list's lines. */
  readonly expand: (argument: string) => Promise<readonly string[]>;
  /** Field of JSONL rows that holds the path. Default: the first of `file_name`, `path`, `image`, `image_path`, `url`. */
  readonly pathField?: string | undefined;
  /** Column of Parquet files that holds the pictures. Default: the one that says so, or is of that shape. */
  readonly imageColumn?: string | undefined;
  /** Folder that relative paths inside JSONL and Parquet files are relative to. Default: the file's own folder. */
  readonly imageRoot?: string | undefined;
}

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

/** A picture that was named, not found: its name says where it belongs, unless that leads elsewhere. */
export function filePicture(name: string, path?: string): FilePicture {
  const inside = normalize(isUrlText(name) ? urlPath(name) : name);
  const leadsOut = isAbsolute(inside) || inside === '..' || inside.startsWith(`..${sep}`);
  const beneath = posix(leadsOut ? basename(inside) : inside);
  return { name, ...(path === undefined || path === name ? {} : { path }), beneath };
}

function urlPath(url: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  return basename(path) || 'picture';
}

const posix = (path: string): string => (sep === '/' ? path : path.replaceAll(sep, '/'));
