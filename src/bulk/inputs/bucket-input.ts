import { basename } from 'node:path/posix';
import { Bucket, parseBucketUrl } from '../bucket/bucket.js';
import { invalidInput, type FilePicture } from './input-picture.js';

const PICTURE_NAME = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;

/**
 * The pictures below a prefix of a bucket, in the order of their keys; or one object by its name.
 * @throws Blip2Error `INPUT_INVALID` where there is none, or for an archive or table, which are read from folders alone
 */
export async function* bucketPictures(url: string): AsyncGenerator<FilePicture, void> {
  const { bucket: name, key } = parseBucketUrl(url);
  if (/\.(jsonl|ndjson|tar|tar\.gz|tgz|parquet)$/i.test(key)) {
    throw invalidInput(url, 'archives, tables and lists are read from folders only', 'Copy it there first.');
  }
  if (PICTURE_NAME.test(key)) return yield { name: url, beneath: basename(key) };
  const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
  const bucket = await Bucket.open(name);
  let count = 0;
  try {
    for await (const each of bucket.list(prefix)) {
      if (!PICTURE_NAME.test(each) || basename(each).startsWith('.')) continue;
      count += 1;
      yield { name: `s3://${name}/${each}`, beneath: each.slice(prefix.length) };
    }
  } finally {
    bucket.close();
  }
  if (count === 0)
    throw invalidInput(url, 'there is no picture below it', 'JPEG, PNG, WebP, GIF, TIFF and AVIF are read.');
}
