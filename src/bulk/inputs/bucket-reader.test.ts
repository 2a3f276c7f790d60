import { expect, it } from 'vitest';
import { isBucketUrl, parseBucketUrl } from '../bucket/bucket.js';
import { BucketReader } from './bucket-reader.js';

it.each(['s3://', 's3://Not_A_Name/a.png', 's3://a/b.png'])(
  '%s in a list is a picture that is not there, and ends no run',
  async (url) => {
    expect(isBucketUrl(url)).toBe(true);
    const reader = new BucketReader();
    reader.prepare([url]);
    await expect(reader.read(url)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    await reader.close();
  },
);

it('keys may have any character', () => {
  expect(parseBucketUrl('s3://name/a b/\n?#%25\u2028.png')).toEqual({ bucket: 'name', key: 'a b/\n?#%25\u2028.png' });
});
