/** Answers that no hub gives: each ends in a named error, within the time limit, with nothing written outside the cache. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Blip2Error } from '../../src/errors.js';
import { openCheckpoint } from '../../src/loader/open-checkpoint.js';
import { downloadTensors } from '../../src/loader/hub/open-hub-checkpoint.js';
import { safetensorsBytes } from './safetensors-bytes.js';

type Stage = 'revision' | 'tree' | 'config.json' | 'model.safetensors';
type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const FILES: Readonly<Record<string, Buffer>> = {
  'config.json': Buffer.from('{"model_type":"blip-2"}'),
  'model.safetensors': Buffer.from(
    safetensorsBytes([{ name: 'a', dtype: 'U8', shape: [5000], bytes: new Uint8Array(5000).fill(7) }]),
  ),
};
const entries = Object.entries(FILES).map(([path, content]) => ({
  type: 'file',
  path,
  size: content.length,
  oid: createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex'),
}));

const json: (value: unknown) => Answer = (value) => text(JSON.stringify(value), 'application/json');
function text(body: string | Buffer, type = 'application/json', status = 200, headers = {}): Answer {
  return (response) => void response.writeHead(status, { 'Content-Type': type, ...headers }).end(body);
}

const usual: Readonly<Record<Stage, Answer>> = {
  revision: json({ sha: COMMIT }),
  tree: json(entries),
  'config.json': file('config.json'),
  'model.safetensors': file('model.safetensors'),
};

function file(name: string, change: (part: Buffer) => Buffer = (part) => part, headers = {}): Answer {
  return (response, request) => {
    const content = FILES[name] ?? Buffer.alloc(0);
    const [, from = '0', to = '0'] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
    const part = change(content.subarray(Number(from), Number(to) + 1));
    const range = `bytes ${from}-${Number(from) + part.length - 1}/${content.length}`;
    response.writeHead(206, { 'Content-Range': range, ...headers }).end(part);
  };
}

let server: Server;
let answers: Partial<Record<Stage, Answer>> = {};
let endpoint: string;
let folder: string;
const stageOf = (path: string): Stage | undefined =>
  path.includes('/revision/')
    ? 'revision'
    : path.includes('/tree/')
      ? 'tree'
      : (['config.json', 'model.safetensors'] as const).find((name) => path.includes(name));

beforeAll(async () => {
  server = createServer((request, response) => {
    const stage = stageOf(request.url ?? '');
    if (stage === undefined) return text('nothing', 'text/plain', 404)(response, request);
    (answers[stage] ?? usual[stage])(response, request);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), 'blip2-hostile-hub-'));
  await mkdir(join(folder, 'x'));
  await writeFile(join(folder, 'x/notes'), 'mine');
  await writeFile(join(folder, 'x/notes.incomplete'), 'mine too');
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(folder, { recursive: true });
});

/** What becomes of a model whose files are all wanted: its tensor's bytes, or the code of the error. */
async function fetched(given: Partial<Record<Stage, Answer>>, options = {}): Promise<string> {
  answers = given;
  const cacheFolder = join(folder, 'caches', String(Math.random()), 'a/b');
  const settings = { endpoint, cacheFolder, offline: false, retryDelayMs: 1, token: 'company-secret', ...options };
  const before = await readdir(folder);
  try {
    const checkpoint = await downloadTensors(await openCheckpoint('owner/model', settings), ['a'], settings);
    const stored = checkpoint.tensors.get('a');
    return (await readFile(stored?.file ?? '')).subarray(stored?.begin).toString('hex');
  } catch (error) {
    if (error instanceof Blip2Error) return error.code;
    throw error;
  } finally {
    expect((await readdir(folder)).toSpliced(0, 0)).toEqual(expect.arrayContaining(before));
    expect(await readFile(join(folder, 'x/notes'), 'utf8')).toBe('mine');
    expect(await readFile(join(folder, 'x/notes.incomplete'), 'utf8')).toBe('mine too');
    expect(await readdir(join(folder, 'x'))).toHaveLength(2);
  }
}

const RIGHT = '07'.repeat(5000);
const UP = '../../../../../../x';
const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
const html = text('<!doctype html><title>Sign in</title>', 'text/html');

/** Bodies that are no answer of an interface, wherever they come. */
const NO_ANSWERS: readonly (readonly [string, Answer])[] = [
  ['a page that asks to sign in', html],
  ['a page that calls itself JSON', text('<html>', 'application/json')],
  ['nothing', text('')],
  ['status 204', text('', 'application/json', 204)],
  ['status 205', text('', 'application/json', 205)],
  ['half of a document', text('{"sha":"0123')],
  ['two documents', text('{}{}')],
  ['a number', json(42)],
  ['null', json(null)],
  ['a string', json('sha')],
  ['an object', json({})],
  ['an error in an object', json({ error: 'no' })],
  ['bytes', text(Buffer.from([0xff, 0xfe, 0x00, 0xd8]))],
  ['bytes that say they are gzip', text('{}', 'application/json', 200, { 'Content-Encoding': 'gzip' })],
  ['a hundred thousand brackets', text(deep)],
];

const CASES: readonly (readonly [string, RegExp, Partial<Record<Stage, Answer>>])[] = [
  ['nothing unusual', new RegExp(RIGHT), {}],
  ...NO_ANSWERS.map(([name, answer]) => [`revision: ${name}`, /^HUB_(FAILED|UNREACHABLE)$/, { revision: answer }] as const),
  ...NO_ANSWERS.map(([name, answer]) => [`listing: ${name}`, /^HUB_(FAILED|UNREACHABLE)$/, { tree: answer }] as const),
  ...[UP, `${UP}/${COMMIT}`, COMMIT.toUpperCase(), COMMIT.slice(1), `${COMMIT}0`, `${COMMIT}\n`, '', 7, null, [COMMIT]].map(
    (sha) => [`commit ${JSON.stringify(sha)}`, /^HUB_FAILED$/, { revision: json({ sha }) }] as const,
  ),
  ...[UP, `${UP}/notes`, 'x'.repeat(40), '0'.repeat(41), '0'.repeat(63), '', 5, null].flatMap((oid) => [
    [`hash ${JSON.stringify(oid)}`, /^HUB_FAILED$/, { tree: json(entries.map((entry) => ({ ...entry, oid }))) }] as const,
    [
      `hash of a large file ${JSON.stringify(oid)}`,
      /^HUB_FAILED$/,
      { tree: json(entries.map((entry) => ({ ...entry, lfs: { oid, size: entry.size } }))) },
    ] as const,
  ]),
  ...[-1, 0.5, 1e300, '5', null].map(
    (size) =>
      [`size ${JSON.stringify(size)}`, /^HUB_FAILED$/, { tree: json(entries.map((entry) => ({ ...entry, size }))) }] as const,
  ),
  ...[0, 7, 1e15].map(
    (size) =>
      [
        `size ${size} of every file`,
        /^(HUB_FAILED|FILE_CHANGED|HEADER_TOO_SMALL|CONFIG_INVALID|CHECKSUM_MISMATCH)$/,
        { tree: json(entries.map((entry) => ({ ...entry, size }))) },
      ] as const,
  ),
  ...['../model.safetensors', '/model.safetensors', 'a/../../model.safetensors', String.raw`..\model.safetensors`, 'a//model.safetensors', ''].map(
    (path) =>
      [
        `file ${JSON.stringify(path)}`,
        /^CHECKPOINT_NOT_FOUND$/,
        { tree: json(entries.map((entry) => (entry.path.endsWith('s') ? { ...entry, path } : entry))) },
      ] as const,
  ),
  ['entries without a type', /^HUB_FAILED$/, { tree: json(entries.map((entry) => ({ ...entry, type: undefined }))) }],
  ['entries of null', /^HUB_FAILED$/, { tree: json([null, null]) }],
  ['no files', /^CHECKPOINT_NOT_FOUND$/, { tree: json([]) }],
  ...['page=1', `cursor=${'x'.repeat(200)}`].map(
    (query) =>
      [
        `a next page that leads to itself, ${query.slice(0, 8)}`,
        /^HUB_FAILED$/,
        { tree: next(() => `${endpoint}/api/models/owner/model/tree/${COMMIT}?${query}`) },
      ] as const,
  ),
  ['pages that never end', /^HUB_FAILED$/, { tree: next(() => `?page=${Math.random()}`) }],
  ['a next page of another kind', /^HUB_FAILED$/, { tree: next(() => 'ftp://127.0.0.1/') }],
  ['a next page in a file', /^HUB_FAILED$/, { tree: next(() => 'file:///etc/hostname') }],
  ['a next page that is no address', /^HUB_FAILED$/, { tree: next(() => 'http://[') }],
  ['a listing of 40 MB', /^HUB_FAILED$/, { tree: text(`[${' '.repeat(40_000_000)}]`) }],
  ['a revision of 40 MB', /^HUB_FAILED$/, { revision: text(`{"a":"${'a'.repeat(40_000_000)}"}`) }],
  ...[400, 401, 402, 403, 404, 405, 409, 410, 418, 429, 451, 500, 501, 502, 503, 504, 599].map(
    (status) => [`status ${status}`, /^HUB_(FAILED|UNAUTHORIZED|NOT_FOUND|RATE_LIMITED)$/, { revision: text('{}', 'application/json', status) }] as const,
  ),
  ...['100000', '1e9', new Date(Date.now() + 1e9).toUTCString()].map(
    (wait) =>
      [
        `a wait of ${wait}`,
        /^HUB_RATE_LIMITED$/,
        { revision: text('{}', 'application/json', 429, { 'Retry-After': wait }) },
      ] as const,
  ),
  ...['-5', 'soon', '', 'Thu, 01 Jan 1970 00:00:00 GMT'].map(
    (wait) =>
      [
        `a wait of ${JSON.stringify(wait)}`,
        /^HUB_FAILED$/,
        { tree: text('{}', 'application/json', 503, { 'Retry-After': wait }) },
      ] as const,
  ),
  ['a redirect to itself', /^HUB_UNREACHABLE$/, { revision: text('', 'text/plain', 302, { Location: '/api/models/owner/model/revision/main' }) }],
  ['a redirect to nowhere', /^HUB_(FAILED|UNREACHABLE)$/, { revision: text('', 'text/plain', 302, { Location: 'http://[' }) }],
  ['a redirect without a place', /^HUB_(FAILED|UNREACHABLE)$/, { revision: text('', 'text/plain', 302) }],
  ['a redirect into a file', /^HUB_(FAILED|UNREACHABLE)$/, { 'config.json': text('', 'text/plain', 302, { Location: 'file:///etc/hostname' }) }],
  ...(['config.json', 'model.safetensors'] as const).flatMap((name) => [
    [`${name}: a page`, /^(HUB_FAILED|FILE_CHANGED)$/, { [name]: html }] as const,
    [`${name}: status 404`, /^HUB_NOT_FOUND$/, { [name]: text('', 'text/plain', 404) }] as const,
    [`${name}: status 416`, /^FILE_CHANGED$/, { [name]: text('', 'text/plain', 416) }] as const,
    [`${name}: nothing`, /^(HUB_FAILED|HUB_UNREACHABLE|FILE_CHANGED)$/, { [name]: text('', 'text/plain', 206) }] as const,
    [`${name}: a byte too many`, /^(FILE_CHANGED|HUB_UNREACHABLE)$/, { [name]: file(name, (part) => Buffer.concat([part, part])) }] as const,
    [`${name}: another place`, /^FILE_CHANGED$/, { [name]: file(name, undefined, { 'Content-Range': 'bytes 9-99/5' }) }] as const,
    [`${name}: another hash`, /^FILE_CHANGED$/, { [name]: file(name, undefined, { ETag: `"${'a'.repeat(40)}"` }) }] as const,
    [`${name}: other bytes`, /^(CHECKSUM_MISMATCH|INVALID_HEADER_LENGTH|HEADER_TOO_LARGE|NOT_SAFETENSORS)$/, { [name]: file(name, (part) => Buffer.alloc(part.length, 0x20)) }] as const,
  ]),
]; // prettier-ignore

function next(address: () => string): Answer {
  return (response) => {
    const headers = { 'Content-Type': 'application/json', Link: `<${address()}>; rel="next"` };
    response.writeHead(200, headers).end('[]');
  };
}

it.each(CASES)('%s', async (_, expected, given) => {
  expect(await fetched(given)).toMatch(expected);
});

describe('servers that do not go on', () => {
  const stalls: readonly (readonly [string, Answer])[] = [
    ['no answer', () => undefined],
    ['headers and nothing more', (response) => response.writeHead(206, { 'Content-Length': '100' }).flushHeaders()],
    ['half of a body', (response) => void response.writeHead(206, { 'Content-Length': '100' }).write('{"sha"')],
    ['a byte now and then', trickle],
    ['a connection that is closed', (response) => void response.destroy()],
    ['a connection that is closed in the body', (response) => void response.writeHead(206, { 'Content-Length': '100' }).write('{', () => response.destroy())],
  ]; // prettier-ignore
  const stages = ['revision', 'tree', 'config.json', 'model.safetensors'] as const;
  it.each(stages.flatMap((stage) => stalls.map(([name, answer]) => [stage, name, answer] as const)))(
    '%s: %s',
    async (stage, _, answer) => {
      expect(await fetched({ [stage]: answer }, { timeoutMs: 50 })).toMatch(
        /^(HUB_UNREACHABLE|HUB_FAILED|FILE_CHANGED)$/,
      );
    },
  );

  it('end at once when the caller wants no more', async () => {
    for (const stage of stages) {
      const controller = new AbortController();
      const answer: Answer = () => controller.abort(new Blip2Error('INTERRUPTED', 'enough'));
      expect(await fetched({ [stage]: answer }, { signal: controller.signal })).toBe('INTERRUPTED');
    }
  });
});

function trickle(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 10);
  response.on('close', () => clearInterval(timer));
}

describe('the token', () => {
  it.each(['company-secret', 'glpat.x_y-z', 'a'])('%s is sent as it is, to the endpoint alone', async (token) => {
    const sent: (string | undefined)[] = [];
    const other: (string | undefined)[] = [];
    const stranger = createServer((request, response) => {
      other.push(request.headers.authorization);
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(entries));
    });
    await new Promise<void>((done) => stranger.listen(0, '127.0.0.1', done));
    const tree: Answer = (response, request) => {
      sent.push(request.headers.authorization);
      next(() => `http://localhost:${(stranger.address() as AddressInfo).port}/`)(response, request);
    };
    expect(await fetched({ tree }, { token })).toBe(RIGHT);
    await new Promise((done) => stranger.close(done));
    expect(new Set(sent)).toEqual(new Set([`Bearer ${token}`]));
    expect(new Set(other)).toEqual(new Set([undefined]));
  });

  it.each(['a b', 'a\nb', 'ä', 'a\0'])('%j is refused before anything is asked', async (token) => {
    expect(await fetched({}, { token })).toBe('HUB_UNAUTHORIZED');
  });
});
