import { extname } from 'node:path/posix';

/** What names of pictures in the formats that are read end in, whatever they lie in. */
const EXTENSIONS: ReadonlySet<string> = new Set(
  '.jpg .jpeg .jpe .jfif .jif .pjpeg .pjp .mpo .png .apng .webp .gif .tif .tiff .avif .avifs .bmp .pbm .pgm .pnm .ppm'.split(
    ' ',
  ),
);

/** Whether a path or key has the name of a picture. */
export const hasPictureName = (path: string): boolean => EXTENSIONS.has(extname(path).toLowerCase());

/** What names of lists, archives and tables of pictures end in; some archives are packed in a way that is not read. */
export const CONTAINER_NAME = /\.(jsonl|ndjson|tar|tar\.gz|tgz|tar\.bz2|tbz2?|tar\.xz|txz|tar\.zst|tzst|parquet)$/i;
