/** A file on the hub, read by ranges. It must stay the same from the first range to the last. */
import { setTimeout } from 'node:timers/promises';
import { Blip2Error } from '../../errors.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import type { ByteSource } from '../format/read-header.js';
import { type HubRequests, statusError } from './hub-request.js';
import { LEAST_BYTES, timelyChunks } from './timely-chunks.js';

/** A connection that is cut or falls silent is taken up again where it ended, as long as each brings something. */
const FRUITLESS_CUTS = 5;

interface RemoteFileOptions {
  readonly name: string;
  readonly address: string;
  readonly sizeBytes: number;
  /** SHA-256 or git hash, as the hub's listing has it. */
  readonly hash: string;
  readonly requests: HubRequests;
}

export class RemoteFile implements ByteSource {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly hash: string;
  readonly #requests: HubRequests;

  constructor({ name, address, sizeBytes, hash, requests }: RemoteFileOptions) {
    this.name = name;
    this.path = address;
    this.sizeBytes = sizeBytes;
    this.hash = hash;
    this.#requests = requests;
  }

  async read(begin: number, end: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - begin);
    let done = 0;
    for await (const chunk of this.stream(begin, end)) {
      bytes.set(chunk, done);
      done += chunk.length;
    }
    return bytes;
  }

  /** Exactly the bytes `[begin, end)`, in order, in chunks as they come. */
  async *stream(begin: number, end: number): AsyncGenerator<Uint8Array, void> {
    let fruitless = 0;
    for (let position = begin; position < end;) {
      const before = position;
      const body = await this.#request(position, end);
      try {
        for await (const chunk of timelyChunks(body, this.#requests.settings, this.name)) {
          if (position + chunk.length > end)
            throw this.#changed(`sent more than the ${end - before} bytes that were asked for`);
          position += chunk.length;
          yield chunk;
        }
      } catch (cause) {
        // Anything but a broken connection is final.
        this.#requests.settings.signal?.throwIfAborted();
        if (cause instanceof Blip2Error || (cause instanceof Error && cause.name === 'AbortError')) throw cause;
      }
      if (position === end) return;
      fruitless = position >= before + LEAST_BYTES ? 0 : fruitless + 1;
      if (fruitless >= FRUITLESS_CUTS) {
        throw new Blip2Error(
          'HUB_UNREACHABLE',
          `${this.name}: the connection breaks or falls silent again and again at byte ${position}`,
          { hint: 'Run it again: what has arrived is kept.' },
        );
      }
      const { retryDelayMs, signal } = this.#requests.settings;
      await setTimeout(retryDelayMs * fruitless, undefined, signal === undefined ? {} : { signal });
    }
  }

  async #request(begin: number, end: number): Promise<ReadableStream<Uint8Array>> {
    const headers = {
      Range: `bytes=${begin}-${end - 1}`,
      // The bytes as they are: ranges of a compressed stream are of no use.
      'Accept-Encoding': 'identity',
    };
    const response = await this.#requests.get(this.path, headers, (answer) => Promise.resolve(answer));
    const wholeFile = response.status === 200 && begin === 0 && end === this.sizeBytes;
    if (response.status !== 206 && !wholeFile) {
      response.body?.cancel().catch(() => undefined);
      if (response.status === 416) throw this.#changed(`has no bytes from ${begin} on`);
      if (response.ok)
        throw new Blip2Error(
          'HUB_FAILED',
          `${this.name}: the server does not answer ranges (status ${response.status})`,
        );
      throw statusError(response.status, this.name);
    }
    this.#checkUnchanged(response, begin);
    if (response.body === null) throw this.#changed('came without content');
    return response.body;
  }

  #checkUnchanged({ headers, body }: Response, begin: number): void {
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '');
    const size = Number(range?.[2] ?? headers.get('content-length') ?? this.sizeBytes);
    const tag = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '').replace(/^W\//, '').replaceAll('"', '');
    const fault =
      size !== this.sizeBytes
        ? `has ${size} bytes now, and ${this.sizeBytes} in the hub's listing`
        : range !== null && Number(range[1]) !== begin
          ? `was sent from byte ${range[1]} on instead of ${begin}`
          : // Storage behind the hub tags files in its own way; only a hash of the same kind can contradict.
            /^[0-9a-f]+$/.test(tag) && tag.length === this.hash.length && tag !== this.hash
            ? `has the hash ${tag} now, and ${this.hash} in the hub's listing`
            : null;
    if (fault === null) return;
    body?.cancel().catch(() => undefined);
    throw this.#changed(fault);
  }

  #changed(how: string): SafetensorsError {
    return new SafetensorsError('FILE_CHANGED', this.name, how, { hint: 'Open the checkpoint again.' });
  }
}
