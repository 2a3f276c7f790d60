/**
 * A server that speaks as much of the hub's protocol as reading a model takes: revision, tree, resolve with ranges, large
 * files behind a redirect to storage. Faults are queued per path and happen once each.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  /** The connection breaks after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** The file is another one now. */
  | { readonly kind: 'changed' }
  /** Ranges are ignored. */
  | { readonly kind: 'no-ranges' }
  /** A byte of the body is wrong. */
  | { readonly kind: 'corrupt' };

interface StoredFile {
  readonly content: Buffer;
  readonly large: boolean;
}

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

export class HubServer {
  readonly #server: Server;
  readonly #files: ReadonlyMap<string, StoredFile>;
  readonly #faults = new Map<string, Fault[]>();
  /** `METHOD path` of every request, in order, and what was sent. */
  readonly requests: {
    readonly path: string;
    readonly range: string | undefined;
    readonly authorization: string | undefined;
  }[] = [];
  sentBytes = 0;
  /** Where set, requests without it are refused. */
  requiredToken: string | undefined;

  private constructor(files: Readonly<Record<string, Buffer>>) {
    this.#files = new Map(
      Object.entries(files).map(([name, content]) => [name, { content, large: name.endsWith('.safetensors') }]),
    );
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(files: Readonly<Record<string, Buffer>>): Promise<HubServer> {
    const server = new HubServer(files);
    await new Promise<void>((done) => server.#server.listen(0, '127.0.0.1', done));
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next requests for this path fail, one after the other. */
  fail(path: string, ...faults: Fault[]): void {
    this.#faults.set(path, [...(this.#faults.get(path) ?? []), ...faults]);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(new URL(request.url ?? '/', this.endpoint).pathname);
    const { range, authorization } = request.headers;
    this.requests.push({ path, range, authorization });
    if (
      this.requiredToken !== undefined &&
      authorization !== `Bearer ${this.requiredToken}` &&
      !path.startsWith('/storage/')
    ) {
      return this.#send(response, 401, Buffer.from('{"error":"Invalid credentials"}'));
    }
    const fault = this.#faults.get(path)?.shift();
    if (fault?.kind === 'status') {
      if (fault.retryAfter !== undefined) response.setHeader('Retry-After', fault.retryAfter);
      return this.#send(response, fault.status, Buffer.from('{"error":"asked for"}'));
    }
    const [, repo, rest] = /^\/api\/models\/([^/]+\/[^/]+)\/(.*)$/.exec(path) ?? [];
    if (repo === 'owner/model' && (rest === 'revision/main' || rest === `revision/${COMMIT}`)) {
      return this.#send(
        response,
        200,
        Buffer.from(
          JSON.stringify({
            _id: '1',
            id: repo,
            sha: COMMIT,
            private: false,
            gated: false,
            likes: 0,
            downloads: 0,
            lastModified: '2023-01-01',
          }),
        ),
      );
    }
    if (repo === 'owner/model' && rest === `tree/${COMMIT}`)
      return this.#send(response, 200, Buffer.from(JSON.stringify(this.#tree())));
    const [, name = ''] = new RegExp(`^/owner/model/resolve/${COMMIT}/(.*)$`).exec(path) ?? [];
    const stored = this.#files.get(name) ?? this.#files.get(path.replace('/storage/', ''));
    if (stored === undefined) return this.#send(response, 404, Buffer.from('{"error":"Repository not found"}'));
    response.setHeader('X-Repo-Commit', COMMIT);
    if (stored.large && name !== '') {
      response.setHeader('X-Linked-ETag', `"${sha256(stored.content)}"`);
      // Another origin than the endpoint's.
      response.setHeader('Location', `http://localhost:${new URL(this.endpoint).port}/storage/${name}`);
      return this.#send(response, 302, Buffer.alloc(0));
    }
    this.#sendFile(response, stored, range, fault);
  }

  #tree(): object[] {
    return [...this.#files].map(([path, { content, large }]) => {
      const size = content.length;
      if (!large) return { type: 'file', path, oid: gitHash(content), size };
      return { type: 'file', path, oid: 'f'.repeat(40), size, lfs: { oid: sha256(content), size, pointerSize: 130 } };
    });
  }

  #sendFile(
    response: ServerResponse,
    { content, large }: StoredFile,
    range: string | undefined,
    fault: Fault | undefined,
  ): void {
    const changed = fault?.kind === 'changed' ? Buffer.concat([content, Buffer.from('!')]) : content;
    // As S3 does, storage tags large files by something that is not their SHA-256.
    response.setHeader('ETag', large ? '"0f0f-2"' : `"${gitHash(changed)}"`);
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    if (from === undefined || to === undefined || fault?.kind === 'no-ranges')
      return this.#send(response, 200, changed);
    const body = Buffer.from(changed.subarray(Number(from), Number(to) + 1));
    if (fault?.kind === 'corrupt') body[0] = (body[0] ?? 0) ^ 1;
    response.setHeader('Content-Range', `bytes ${from}-${Number(from) + body.length - 1}/${changed.length}`);
    if (fault?.kind !== 'cut') return this.#send(response, 206, body);
    this.sentBytes += fault.afterBytes;
    response.writeHead(206, { 'Content-Length': body.length });
    response.write(body.subarray(0, fault.afterBytes), () => response.destroy());
  }

  #send(response: ServerResponse, status: number, body: Buffer): void {
    this.sentBytes += body.length;
    response.writeHead(status, {
      'Content-Length': body.length,
      // The hub lets pages of other origins read.
      'Access-Control-Allow-Origin': '*',
      ...(body[0] === 0x7b ? { 'Content-Type': 'application/json' } : {}),
    });
    response.end(body);
  }
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function gitHash(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}
