import { basename } from 'node:path/posix';
import { Bucket, parseBucketUrl } from '../bucket/bucket.js';
import { invalidInput, type FilePicture } from './input-picture.js';
import { CONTAINER_NAME, hasPictureName } from './picture-name.js';

/**
 * The pictures below a prefix of a bucket, in the order of their keys; or one object by its name.
 * @throws Blip2Error `INPUT_INVALID` where there is none
 */
export async function* bucketPictures(url: string): AsyncGenerator<FilePicture, void> {
  const { bucket: name, key } = parseBucketUrl(url);
  if (hasPictureName(key)) return yield { name: url, beneath: basename(key) };
  const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
  const bucket = await Bucket.open(name);
  let count = 0;
  let container: string | undefined;
  try {
    for await (const each of bucket.list(prefix)) {
      if (CONTAINER_NAME.test(each)) container ??= each;
      if (!hasPictureName(each) || basename(each).startsWith('.')) continue;
      count += 1;
      yield { name: `s3://${name}/${each}`, beneath: each.slice(prefix.length) };
    }
  } finally {
    bucket.close();
  }
  if (count > 0) return;
  const hint =
    container === undefined
      ? 'JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP and PNM are read.'
      : `Archives, tables and lists are read by their own names, such as s3://${name}/${container}.`;
  throw invalidInput(url, 'there is no picture below it', hint);
}
