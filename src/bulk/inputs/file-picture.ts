import { basename, isAbsolute, normalize, sep } from 'node:path';
import { isBucketUrl } from '../bucket/bucket.js';
import { isUrlText } from '../../runtime/image/picture-source.js';
import type { FilePicture } from './input-picture.js';

/** A picture that was named, not found: its name says where it belongs, unless that leads elsewhere. */
export function filePicture(name: string, path?: string): FilePicture {
  const inside = normalize(isBucketUrl(name) ? basename(name) : isUrlText(name) ? urlPath(name) : name);
  const leadsOut = isAbsolute(inside) || inside === '..' || inside.startsWith(`..${sep}`);
  const beneath = posix(leadsOut ? basename(inside) : inside);
  return { name, ...(path === undefined || path === name ? {} : { path }), beneath };
}

function urlPath(url: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  return basename(path) || 'picture';
}

/** A path with `/` between folders. */
export const posix = (path: string): string => (sep === '/' ? path : path.replaceAll(sep, '/'));
