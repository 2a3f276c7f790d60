import { Blip2Error, reasonOf } from '../../errors.js';
import { Bucket, parseBucketUrl } from '../bucket/bucket.js';

/** Objects that are asked for before they are wanted: a store takes long to begin with each. */
const AHEAD = 16;

/** Reads objects one after the other, some ahead of the one that is wanted. */
export class BucketReader {
  readonly #buckets = new Map<string, Promise<Bucket>>();
  readonly #coming = new Map<string, Promise<Uint8Array | null>>();

  /** @param next URLs in the order in which they will be wanted */
  prepare(next: readonly string[]): void {
    for (const url of next.slice(0, AHEAD)) {
      if (this.#coming.size >= AHEAD || this.#coming.has(url)) continue;
      const bytes = this.#fetch(url);
      // Whoever wants it learns of a failure.
      bytes.catch(() => undefined);
      this.#coming.set(url, bytes);
    }
  }

  /** @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_TOO_LARGE`; `BUCKET_FAILED` */
  async read(url: string): Promise<Uint8Array> {
    const coming = this.#coming.get(url);
    this.#coming.delete(url);
    const bytes = await (coming ?? this.#fetch(url));
    if (bytes === null) throw new Blip2Error('IMAGE_NOT_FOUND', `there is no picture at ${url}`);
    return bytes;
  }

  async #fetch(url: string): Promise<Uint8Array | null> {
    const { bucket: name, key } = addressOf(url);
    const bucket = this.#buckets.get(name) ?? Bucket.open(name);
    this.#buckets.set(name, bucket);
    return (await bucket).read(key);
  }

  async close(): Promise<void> {
    for (const bucket of this.#buckets.values()) (await bucket).close();
  }
}

/** Of a list that has one wrong address, the others are captioned. */
function addressOf(url: string): ReturnType<typeof parseBucketUrl> {
  try {
    return parseBucketUrl(url);
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new Blip2Error('IMAGE_NOT_FOUND', reason, { cause });
  }
}
