import type { Argv } from 'yargs';
import { parseSize } from '../../src/planner/index.js';
import type { FetchLimits } from '../../src/runtime/index.js';
import { usageError } from '../common/main.js';
import { seconds } from '../common/seconds.js';
import { switchFlag, textFlag } from '../common/flags.js';

/** Flags of how pictures are found and fetched. */
export function pictureFlags<T>(parser: Argv<T>) {
  return parser
    .option(
      'no-recursive',
      switchFlag('Pictures:', 'of a folder, only the pictures right in it, not those of the folders inside'),
    )
    .option('fetch-timeout', {
      ...textFlag('Pictures:', 'seconds that a picture of a URL may take [default: 60]'),
      coerce: seconds('fetch-timeout'),
    })
    .option('fetch-limit', {
      ...textFlag('Pictures:', 'size that a picture of a URL may have [default: 512M]'),
      coerce: bytes,
    });
}

/** What is read as a picture, and how names are written: the last words of the help. */
export const PICTURE_NOTES = [
  'Pictures: JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP and PNM, with the pixels that Pillow gives. What could not have them is refused:',
  'TIFF in CIELAB, in planes of 16 bits, or packed by LZMA or Zstandard; AVIF of tiles; and others that docs/exact.md lists. So are',
  'files over 512 MiB, more than 89,478,485 pixels, and what is no file, such as a FIFO.',
  'Folders: with the folders inside; hidden files and links to folders are skipped. A file counts by its extension, and one',
  'without any by its first bytes.',
  'file<TAB>caption lines: a name that has a tab, a line break or another control character in it, or is not UTF-8, is written',
  'as its file: URL, which is also understood as an input.',
].join(' ');

export interface PictureArgs {
  readonly 'fetch-timeout'?: number | undefined;
  readonly 'fetch-limit'?: number | undefined;
}

export const fetchLimitsOf = (args: PictureArgs): FetchLimits => ({
  ...(args['fetch-timeout'] === undefined ? {} : { fetchTimeoutMs: Math.ceil(1000 * args['fetch-timeout']) }),
  ...(args['fetch-limit'] === undefined ? {} : { fetchLimitBytes: args['fetch-limit'] }),
});

function bytes(text: string): number {
  const value = parseSize(text);
  if (value >= 1 && value < 2 ** 31) return value;
  throw usageError(`--fetch-limit ${text} is not between 1 byte and 2G`, 'For example: --fetch-limit 50M');
}
