import { Blip2Error } from '../../errors.js';
import type { ByteSource } from '../../loader/format/read-header.js';
import { Bucket, parseBucketUrl, type StoredObject } from './bucket.js';

/** An object of a bucket, read by ranges. It must stay the same from the first range to the last. */
export class ObjectSource implements ByteSource, AsyncDisposable {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly #bucket: Bucket;
  readonly #object: StoredObject;

  private constructor(url: string, bucket: Bucket, object: StoredObject) {
    this.name = url;
    this.path = url;
    this.sizeBytes = object.sizeBytes;
    this.#bucket = bucket;
    this.#object = object;
  }

  /** @throws Blip2Error `INPUT_INVALID` where there is no such object; `PACKAGE_MISSING`, `BUCKET_FAILED` */
  static async open(url: string): Promise<ObjectSource> {
    const { bucket: name, key } = parseBucketUrl(url);
    const bucket = await Bucket.open(name);
    try {
      const object = await bucket.find(key);
      if (object !== null) return new ObjectSource(url, bucket, object);
    } catch (error) {
      bucket.close();
      throw error;
    }
    bucket.close();
    throw new Blip2Error('INPUT_INVALID', `there is no ${url}`, { hint: 'Check the bucket and the key.' });
  }

  /** @throws Blip2Error `BUCKET_FAILED`, also where the object has been replaced */
  async read(begin: number, end: number): Promise<Uint8Array> {
    return begin === end ? new Uint8Array() : this.#bucket.readRange(this.#object, begin, end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bucket.close();
  }
}
