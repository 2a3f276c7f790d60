import { basename, isAbsolute, normalize, sep } from 'node:path';
import { isBucketUrl } from '../bucket/bucket.js';
import { isUrlText } from '../../runtime/image/picture-source.js';
import type { FilePicture } from './input-picture.js';

/**
 * A picture that was named, not found: its name says where it belongs, unless that leads elsewhere. What JSON escapes can say and
 * UTF-8 cannot, half of a surrogate pair, is replaced as in names of files: readers refuse a data set that has it.
 */
export function filePicture(given: string, givenPath?: string): FilePicture {
  const name = inUtf8(given);
  const path = givenPath === undefined ? undefined : inUtf8(givenPath);
  const inside = normalize(isBucketUrl(name) ? basename(name) : isUrlText(name) ? urlPath(name) : name);
  const leadsOut = isAbsolute(inside) || inside === '..' || inside.startsWith(`..${sep}`);
  const beneath = posix(leadsOut ? basename(inside) : inside);
  return { name, ...(path === undefined || path === name ? {} : { path }), beneath };
}

const inUtf8 = (text: string): string => Buffer.from(text).toString();

function urlPath(url: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  return basename(path) || 'picture';
}

/** A path with `/` between folders. */
export const posix = (path: string): string => (sep === '/' ? path : path.replaceAll(sep, '/'));
