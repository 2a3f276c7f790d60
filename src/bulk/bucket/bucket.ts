import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { Blip2Error } from '../../errors.js';
import { missingPackage } from '../../missing-package.js';

/** `s3://bucket/key`, as command lines name objects and prefixes. */
export const isBucketUrl = (text: string): boolean => text.startsWith('s3://');

/** Above this, files go in parts. */
const PART_BYTES = 8 * 1024 * 1024;
/** As for pictures of URLs. */
const MOST_BYTES = 512 * 1024 * 1024;

/** Tries to read a range whose bytes stop coming. */
const MOST_READS = 3;

/** An object as it was found. */
export interface StoredObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** Another one once the object is replaced; none where the store has none. */
  readonly tag: string | undefined;
}

/** @throws Blip2Error `INPUT_INVALID` */
export function parseBucketUrl(url: string): { bucket: string; key: string } {
  const [, bucket, key = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s.exec(url) ?? [];
  if (bucket !== undefined) return { bucket, key };
  throw new Blip2Error('INPUT_INVALID', `${url} is no object or prefix of a bucket`, { hint: 's3://bucket/prefix' });
}

// Inside the class, tsc 7.0.2 would write these keys as something else: see findings/typescript-class-name-as-key.sh.
const inBucket = (name: string) => ({ Bucket: name });
const object = (name: string, key: string) => ({ Bucket: name, Key: key });

/** A bucket of an S3-compatible store. Credentials, region and AWS_ENDPOINT_URL_S3 are read as AWS' own tools do. */
export class Bucket {
  readonly name: string;
  readonly #client: S3Client;
  readonly #sdk: Awaited<ReturnType<typeof loadSdk>>;
  #isConditional: Promise<boolean> | undefined;

  private constructor(name: string, client: S3Client, sdk: Awaited<ReturnType<typeof loadSdk>>) {
    this.name = name;
    this.#client = client;
    this.#sdk = sdk;
  }

  /** @throws Blip2Error `PACKAGE_MISSING` */
  static async open(name: string): Promise<Bucket> {
    const sdk = await loadSdk();
    const endpoint = process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'];
    const client = new sdk.S3Client({
      region: process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1',
      // Other stores than Amazon's rarely have a name for each bucket.
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
      // Stores that do not know the framing of checksums would keep it as part of the object.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    return new Bucket(name, client, sdk);
  }

  /** @returns null where there is no such object */
  async read(key: string): Promise<Uint8Array | null> {
    const { GetObjectCommand } = this.#sdk;
    const answer = await this.#ask(key, () => this.#client.send(new GetObjectCommand(object(this.name, key))));
    if (answer === null) return null;
    if ((answer.ContentLength ?? 0) > MOST_BYTES) {
      throw new Blip2Error('IMAGE_TOO_LARGE', `s3://${this.name}/${key} has ${answer.ContentLength} bytes`);
    }
    return (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
  }

  async readText(key: string): Promise<string | null> {
    const bytes = await this.read(key);
    return bytes === null ? null : Buffer.from(bytes).toString();
  }

  /** @returns null where there is no such object */
  async find(key: string): Promise<StoredObject | null> {
    const { HeadObjectCommand } = this.#sdk;
    const answer = await this.#ask(key, () => this.#client.send(new HeadObjectCommand(object(this.name, key))));
    return answer === null ? null : { key, sizeBytes: answer.ContentLength ?? 0, tag: answer.ETag };
  }

  async exists(key: string): Promise<boolean> {
    return (await this.find(key)) !== null;
  }

  /** The bytes `[begin, end)` of an object that is still the one that was found. */
  async readRange({ key, tag }: StoredObject, begin: number, end: number): Promise<Uint8Array> {
    const { GetObjectCommand } = this.#sdk;
    const range = { ...object(this.name, key), Range: `bytes=${begin}-${end - 1}`, IfMatch: tag };
    for (let tries = 1; ; tries++) {
      const answer = await this.#ask(key, () => this.#client.send(new GetObjectCommand(range)));
      const sent = answer?.ContentLength;
      if (sent !== end - begin) {
        throw this.#failure(key, new Error(`${sent ?? 'no'} bytes came of the ${end - begin} from ${begin} on`));
      }
      try {
        return (await answer?.Body?.transformToByteArray()) ?? new Uint8Array();
      } catch (error) {
        // The client asks again by itself until an answer begins, and no longer.
        if (tries === MOST_READS) throw this.#failure(key, error);
      }
    }
  }

  async write(key: string, text: string): Promise<void> {
    const { PutObjectCommand } = this.#sdk;
    await this.#ask(key, () => this.#client.send(new PutObjectCommand({ ...object(this.name, key), Body: text })));
  }

  /** Writes what is not there yet. @returns whether it was not; true where the store cannot tell, and has written */
  async create(key: string, text: string): Promise<boolean> {
    if (!(await this.isConditional())) {
      if (await this.exists(key)) return false;
      await this.write(key, text);
      return true;
    }
    return this.#createOnly(key, text);
  }

  /** Puts a whole file there, or nothing: in parts where it is large, which count once all are there. */
  async upload(key: string, file: string): Promise<void> {
    const { Upload } = this.#sdk;
    const { size } = await stat(file);
    const upload = new Upload({
      client: this.#client,
      params: { ...object(this.name, key), Body: createReadStream(file), ContentLength: size },
      partSize: PART_BYTES,
      queueSize: 4,
    });
    await this.#ask(key, () => upload.done());
  }

  /** Keys that begin with a prefix, in the order of their bytes. */
  async *list(prefix: string): AsyncGenerator<string, void> {
    const { ListObjectsV2Command } = this.#sdk;
    let token: string | undefined;
    do {
      const page = await this.#ask(prefix, () =>
        this.#client.send(
          new ListObjectsV2Command({ ...inBucket(this.name), Prefix: prefix, ContinuationToken: token }),
        ),
      );
      for (const { Key } of page?.Contents ?? []) if (Key !== undefined) yield Key;
      token = page?.NextContinuationToken;
    } while (token !== undefined);
  }

  async remove(key: string): Promise<void> {
    const { DeleteObjectCommand } = this.#sdk;
    await this.#ask(key, () => this.#client.send(new DeleteObjectCommand(object(this.name, key))));
  }

  /** Whether the store keeps what is there where it is asked to: some overwrite it and say nothing. */
  isConditional(near = ''): Promise<boolean> {
    this.#isConditional ??= this.#probe(`${near}.blip2-probe-${randomUUID()}`);
    return this.#isConditional;
  }

  close(): void {
    this.#client.destroy();
  }

  async #probe(key: string): Promise<boolean> {
    try {
      await this.#createOnly(key, 'first');
      return !(await this.#createOnly(key, 'second'));
    } catch (error) {
      if (error instanceof Blip2Error && error.details['status'] === 501) return false;
      throw error;
    } finally {
      await this.remove(key);
    }
  }

  async #createOnly(key: string, text: string): Promise<boolean> {
    const { PutObjectCommand } = this.#sdk;
    try {
      await this.#client.send(new PutObjectCommand({ ...object(this.name, key), Body: text, IfNoneMatch: '*' }));
      return true;
    } catch (error) {
      if (statusOf(error) === 412 || statusOf(error) === 409) return false;
      throw this.#failure(key, error);
    }
  }

  async #ask<Answer>(key: string, send: () => Promise<Answer>): Promise<Answer | null> {
    try {
      return await send();
    } catch (error) {
      const isMissing = statusOf(error) === 404 && !(error instanceof Error && error.name === 'NoSuchBucket');
      if (isMissing) return null;
      throw this.#failure(key, error);
    }
  }

  #failure(key: string, error: unknown): Blip2Error {
    const status = statusOf(error);
    if (status === 412) {
      return new Blip2Error('BUCKET_FAILED', `s3://${this.name}/${key} was replaced while it was read`, {
        hint: 'Run it again once nobody writes there.',
        details: { status },
        cause: error,
      });
    }
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return new Blip2Error('BUCKET_FAILED', `s3://${this.name}/${key}: ${reason}`, {
      hint: 'Check the bucket, AWS_ENDPOINT_URL_S3, and the credentials (AWS_ACCESS_KEY_ID and others, or ~/.aws).',
      details: { status },
      cause: error,
    });
  }
}

async function loadSdk() {
  // What later versions of it will want of Node is for who installs them, not for each of their runs.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  try {
    const [client, storage] = await Promise.all([import('@aws-sdk/client-s3'), import('@aws-sdk/lib-storage')]);
    return { ...client, Upload: storage.Upload };
  } catch (error) {
    throw missingPackage(error, 's3://', ['@aws-sdk/client-s3@3', '@aws-sdk/lib-storage@3']);
  }
}

function statusOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return null;
  const { $metadata: metadata } = error;
  const isStatus = typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata;
  return isStatus && typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : null;
}
