import { isAbsolute, join } from 'node:path';
import { join as joinKeys } from 'node:path/posix';
import { isUrlText } from '../../runtime/image/picture-source.js';
import { isBucketUrl, parseBucketUrl } from '../bucket/bucket.js';

/** Whether a text stands for what is not in this machine's folders: a URL, or an object of a bucket. */
export const isElsewhere = (text: string): boolean => isUrlText(text) || isBucketUrl(text);

/** A path that a list or a table gives, relative to a folder or to a prefix of a bucket. */
export function resolveInside(root: string, path: string): string {
  if (isAbsolute(path) || isElsewhere(path)) return path;
  if (!isBucketUrl(root)) return join(root, path);
  const { bucket, key } = parseBucketUrl(root);
  return `s3://${bucket}/${joinKeys(key, path)}`;
}
