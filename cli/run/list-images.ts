import { stat, readdir } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { exists } from '../../src/loader/file/exists.js';
import { fileUrl, inLine } from '../../src/runtime/image/file-url.js';
import { isUrlText } from '../../src/runtime/image/picture-source.js';
import { usageError } from '../common/main.js';
import { beginsAsPicture, findPictures } from './find-pictures.js';
import { isArrowName, ofArrowFile, ofSavedDataset } from './saved-dataset.js';
import { stdinList } from './stdin-list.js';

/** Stands for a list of paths on stdin. */
const STDIN_LIST = '-';
const LIST_NAME = /\.(?:txt|lst|list|csv|tsv|json|jsonl(?=\.gz)|ndjson(?=\.gz))(?:\.gz)?$/i;
const CONTAINER = /\.(?:tar|tgz|gz|parquet|jsonl|ndjson)\b/;

export interface ListOptions {
  /** Whether folders inside folders are looked into. Default true. */
  readonly recursive?: boolean;
  /** Ends the listing. */
  readonly signal?: AbortSignal | undefined;
  /** Called once for each folder in which something was skipped. */
  readonly onSkipped?: (folder: string, skipped: string) => void;
}

/**
 * The pictures that a command line names: files and URLs as they stand, the pictures of folders in name order, and for
 * `STDIN_LIST` one path or URL per line of stdin. Names that are not UTF-8 become `file:` URLs.
 * @throws Blip2Error `USAGE` for a path that does not exist, a folder without a picture, and binary data on stdin.
 */
export async function listImages(args: readonly string[], options: ListOptions = {}): Promise<string[]> {
  const pictures: string[] = [];
  for (const arg of args) {
    if (arg === STDIN_LIST) pictures.push(...(await stdinList(options.signal)));
    else if (isUrlText(arg)) pictures.push(arg);
    else pictures.push(...(await expand(arg, options)));
  }
  return pictures;
}

/** @throws Blip2Error `USAGE` where the one thing that is named is a list of pictures, in a form that only stdin has */
export async function refuseList(args: readonly string[]): Promise<void> {
  const [list, ...others] = args;
  if (list === undefined || others.length > 0 || !LIST_NAME.test(list) || isUrlText(list)) return;
  const isFile = (await stat(list).catch(() => null))?.isFile() === true;
  if (!isFile || (await beginsAsPicture(list))) return;
  throw usageError(`${inLine(list)} is no picture`, listHint(list));
}

function listHint(list: string): string {
  const name = inLine(list);
  if (/\.gz$/i.test(list)) return `Unpack it: gunzip ${name}.`;
  if (/json$/i.test(list))
    return `JSON is read line by line, of a .jsonl file: jq -c '.[]' ${name} makes lines of an array.`;
  return 'A list has one path or URL a line and comes on stdin, named -; JSON lines are read from a .jsonl file.';
}

async function expand(argument: string, options: ListOptions): Promise<readonly string[]> {
  const path = (await exists(argument)) ? argument : await rawPath(argument);
  const entry = path === null ? null : await stat(path).catch(() => null);
  if (path === null || entry === null) {
    const hint = 'Name picture files, URLs, folders, or - for a list on stdin.';
    throw usageError(`there is no picture at ${inLine(argument)}`, hint);
  }
  if (!entry.isDirectory()) {
    if (typeof path !== 'string') return [fileUrl(path)];
    if (isArrowName(path) && !(await beginsAsPicture(path)))
      throw usageError(`${inLine(path)} is no picture, but a table in Arrow's format`, ofArrowFile(path));
    return [path];
  }
  const { pictures, skipped } = await findPictures(path, options.recursive ?? true, options.signal);
  if (pictures.length === 0) {
    const all = skipped === '' ? 'it is empty' : `skipped: ${skipped}`;
    throw usageError(`the folder ${inLine(argument)} holds no picture (${all})`, await emptyHint(argument, skipped));
  }
  if (skipped !== '') options.onSkipped?.(inLine(argument), skipped);
  return pictures;
}

async function emptyHint(folder: string, skipped: string): Promise<string> {
  if (CONTAINER.test(skipped))
    return 'Archives, tables and lists in a folder are named themselves, such as data/*.parquet, with --out.';
  if (/\.arrow\b/.test(skipped)) return ofSavedDataset(folder);
  return 'JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP and PNM are read; hidden files are not looked at.';
}

/** What stands in an argument for bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';

/**
 * The path that an argument was before it was read as UTF-8, looked for among the names of its folder.
 * @returns null where there is none
 * @throws Blip2Error `USAGE` where there is more than one
 */
async function rawPath(argument: string): Promise<Buffer | null> {
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
