import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/open-checkpoint.js';
import { hubSettings } from '../../src/loader/hub/hub-settings.js';
import { downloadTensors } from '../../src/loader/hub/open-hub-checkpoint.js';
import { mapTensors } from '../../src/loader/mapping/map-tensors.js';
import { COMMIT, HubServer } from './hub-server.js';
import { safetensorsBytes } from './safetensors-bytes.js';

const BYTES = 3_000_000;
const [A, B] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
const weights = (name: string) => Uint8Array.from({ length: BYTES }, (_, i) => (i * 31 + name.length) % 251);
const shard = (...names: string[]) =>
  safetensorsBytes(names.map((name) => ({ name, dtype: 'U8', shape: [BYTES], bytes: weights(name) })));
const FILES = {
  'config.json': Buffer.from('{"model_type":"blip-2"}'),
  'tokenizer.json': Buffer.from('{"tokens":[]}'),
  'processor_config.json': Buffer.from('{"image_processor":{}}'),
  'qformer_tokenizer/tokenizer.json': Buffer.from('{"words":[]}'),
  'onnx/config.json': Buffer.from('{}'),
  'README.md': Buffer.from('# model'),
  'model.safetensors.index.json': Buffer.from(
    JSON.stringify({ metadata: { total_size: 3 * BYTES }, weight_map: { a: A, bb: B, ccc: B } }),
  ),
  [A]: shard('a'),
  [B]: shard('bb', 'ccc'),
};

let server: HubServer;
let cacheFolder: string;

beforeEach(async () => {
  server = await HubServer.start(FILES);
  cacheFolder = await mkdtemp(join(tmpdir(), 'hub-'));
});

afterEach(async () => {
  await server.stop();
  await rm(cacheFolder, { recursive: true });
});

const options = () => ({ endpoint: server.endpoint, cacheFolder, retryDelayMs: 1, offline: false });
const open = () => openCheckpoint('owner/model', options());
const storage = (name: string) => `/storage/${name}`;
const resolve = (name: string) => `/owner/model/resolve/${COMMIT}/${name}`;

describe('openCheckpoint of a model on the hub', () => {
  it('reads headers by ranges, moves a fraction of the weights, and keeps the small files in the cache of huggingface_hub', async () => {
    const checkpoint = await open();
    expect(checkpoint).toMatchObject({
      config: { model_type: 'blip-2' },
      warnings: [],
      hub: { repo: 'owner/model', commit: COMMIT },
    });
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'bb', 'ccc']);
    expect(checkpoint.files[1]).toMatchObject({
      name: B,
      sizeBytes: FILES[B]?.length,
      path: `${server.endpoint}${resolve(B)}`,
    });
    expect(server.sentBytes).toBeLessThan(2 * 200_000);
    const repository = join(cacheFolder, 'models--owner--model');
    expect(await readFile(join(repository, 'refs/main'), 'utf8')).toBe(COMMIT);
    expect(await readlink(join(repository, 'snapshots', COMMIT, 'config.json'))).toMatch(
      /^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/,
    );
  });

  it('downloads only the shards that hold the tensors that are needed, and then maps them', async () => {
    const checkpoint = await open();
    await expect(mapTensors(checkpoint, ['a'])).rejects.toMatchObject({ code: 'NOT_DOWNLOADED' });
    const before = server.sentBytes;
    const local = await downloadTensors(checkpoint, ['bb'], options());
    expect(server.sentBytes - before).toBeLessThan(2 * BYTES + 300_000);
    using mapped = await mapTensors(local, ['bb', 'ccc']);
    expect(Buffer.compare(mapped.get('ccc').bytes, weights('ccc'))).toBe(0);
    expect(local.tensors.get('a')?.file).toContain('http://');
    expect(await readdir(local.folder)).toEqual(
      expect.arrayContaining(['config.json', 'tokenizer.json', 'processor_config.json', B]),
    );
    expect(await readdir(join(local.folder, 'qformer_tokenizer'))).toEqual(['tokenizer.json']);
    expect(await readdir(local.folder)).not.toContain('README.md');
    expect(await readdir(local.folder)).not.toContain('onnx');
  });

  it('asks nobody when the cache has everything', async () => {
    await downloadTensors(await open(), ['a', 'bb'], options());
    const asked = server.requests.length;
    const cached = await openCheckpoint('owner/model', { ...options(), offline: true });
    expect(cached.tensors.get('a')?.file).toContain(join('models--owner--model', 'blobs'));
    expect(cached.hub).toMatchObject({ commit: COMMIT });
    expect((await openCheckpoint('owner/model', { ...options(), revision: COMMIT })).tensors.size).toBe(3);
    expect(server.requests).toHaveLength(asked);
  });

  it('asks the hub where the cache has only what another program asked for: weights alone, or one shard', async () => {
    const repository = join(cacheFolder, 'models--owner--model');
    const snapshot = join(repository, 'snapshots', COMMIT);
    await mkdir(join(repository, 'refs'), { recursive: true });
    await mkdir(snapshot, { recursive: true });
    await writeFile(join(repository, 'refs/main'), COMMIT);
    await writeFile(join(snapshot, A), shard('a'));
    expect([...(await open()).tensors.keys()]).toEqual(['a', 'bb', 'ccc']);

    await rm(snapshot, { recursive: true });
    await mkdir(snapshot);
    await writeFile(join(snapshot, 'model.safetensors'), shard('all'));
    const offline = await openCheckpoint('owner/model', { ...options(), offline: true });
    expect([[...offline.tensors.keys()], offline.config]).toEqual([['all'], null]);
    expect((await open()).config).toEqual({ model_type: 'blip-2' });
  });

  it('asks once whether a model has a configuration', async () => {
    await server.stop();
    server = await HubServer.start({ 'model.safetensors': shard('a') });
    await downloadTensors(await open(), ['a'], options());
    const asked = server.requests.length;
    expect((await open()).config).toBeNull();
    expect(server.requests).toHaveLength(asked);
    // As huggingface_hub remembers it.
    expect(await readdir(join(cacheFolder, 'models--owner--model/.no_exist', COMMIT))).toEqual(['config.json']);
  });

  it('offline, says what is missing', async () => {
    const offline = () => openCheckpoint('owner/model', { ...options(), offline: true });
    await expect(offline()).rejects.toMatchObject({ code: 'HUB_OFFLINE' });
    await open();
    await expect(offline()).rejects.toMatchObject({ code: 'HUB_OFFLINE' });
    expect(server.requests.length).toBeGreaterThan(0);
  });

  it('sends the token to the hub, and not to the storage of another origin', async () => {
    server.requiredToken = 'hf_secret';
    await expect(open()).rejects.toMatchObject({ code: 'HUB_UNAUTHORIZED', hint: expect.stringContaining('HF_TOKEN') });
    const checkpoint = await openCheckpoint('owner/model', { ...options(), token: 'hf_secret' });
    expect(checkpoint.tensors.size).toBe(3);
    const stored = server.requests.filter(({ path }) => path.startsWith('/storage/'));
    expect(stored.length).toBeGreaterThan(0);
    expect(stored.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  it('says that there is no such model, or revision', async () => {
    await expect(openCheckpoint('owner/nothing', options())).rejects.toMatchObject({ code: 'HUB_NOT_FOUND' });
    await expect(openCheckpoint('owner/model', { ...options(), revision: 'v9' })).rejects.toMatchObject({
      code: 'HUB_NOT_FOUND',
      message: expect.stringContaining('v9'),
    });
  });

  it('prefers a folder of that name', async () => {
    await mkdir(join(cacheFolder, 'owner/model'), { recursive: true });
    await writeFile(join(cacheFolder, 'owner/model/model.safetensors'), shard('local'));
    expect([...(await openCheckpoint(join(cacheFolder, 'owner/model'))).tensors.keys()]).toEqual(['local']);
    expect(server.requests).toHaveLength(0);
  });
});

describe('when the hub has a bad day', () => {
  it.each([429, 500, 503])('tries again after status %i', async (status) => {
    server.fail('/api/models/owner/model/revision/main', { kind: 'status', status, retryAfter: '0' });
    server.fail(resolve(A), { kind: 'status', status });
    expect((await open()).tensors.size).toBe(3);
  });

  it('waits as long as Retry-After says', async () => {
    server.fail('/api/models/owner/model/revision/main', { kind: 'status', status: 429, retryAfter: '1' });
    const startMs = performance.now();
    await open();
    expect(performance.now() - startMs).toBeGreaterThan(990);
  });

  it.each([[429, 'HUB_RATE_LIMITED'], [503, 'HUB_FAILED'], [403, 'HUB_UNAUTHORIZED'], [404, 'HUB_NOT_FOUND']])(
    'gives up on status %i', async (status, code) => {
    server.fail(resolve(A), ...Array.from({ length: 5 }, () => ({ kind: 'status', status, retryAfter: '0' }) as const));
    await expect(open()).rejects.toMatchObject({ code });
  }); // prettier-ignore

  it('takes a cut connection up where it ended', async () => {
    const checkpoint = await open();
    server.fail(storage(A), { kind: 'cut', afterBytes: 1_000_000 }, { kind: 'cut', afterBytes: 500_000 });
    const before = server.requests.length;
    const local = await downloadTensors(checkpoint, ['a'], options());
    const starts = server.requests.slice(before).filter(({ path }) => path === storage(A)).map(({ range }) => Number(/\d+/.exec(range ?? '')?.[0])); // prettier-ignore
    expect(starts).toHaveLength(3);
    expect(starts[0]).toBe(0);
    expect(starts[1]).toBeGreaterThan(0);
    expect(starts[2]).toBeGreaterThan(starts[1] ?? 0);
    using mapped = await mapTensors(local, ['a']);
    expect(Buffer.compare(mapped.get('a').bytes, weights('a'))).toBe(0);
  });

  it('keeps what has arrived when it gives up, and goes on from there', async () => {
    const checkpoint = await open();
    const cuts = Array.from({ length: 6 }, (_, i) => ({ kind: 'cut', afterBytes: i === 0 ? 1_000_000 : 0 }) as const);
    server.fail(storage(A), ...cuts);
    await expect(downloadTensors(checkpoint, ['a'], options())).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    const blobs = await readdir(join(cacheFolder, 'models--owner--model/blobs'));
    expect(blobs.filter((name) => name.endsWith('.incomplete'))).toHaveLength(1);
    const before = server.sentBytes;
    const local = await downloadTensors(checkpoint, ['a'], options());
    expect(server.sentBytes - before).toBeLessThan(BYTES - 500_000 + 200_000);
    expect(local.tensors.get('a')?.file).not.toContain('http');
  });

  it('is asked by several at once, who do not spoil what the others have', async () => {
    const checkpoints = await Promise.all([open(), open(), open()]);
    server.fail(storage(A), { kind: 'cut', afterBytes: 1_000_000 });
    const all = await Promise.all(checkpoints.map((checkpoint) => downloadTensors(checkpoint, ['a', 'bb'], options())));
    for (const local of all) {
      using mapped = await mapTensors(local, ['a', 'bb']);
      expect(Buffer.compare(mapped.get('a').bytes, weights('a'))).toBe(0);
      expect(Buffer.compare(mapped.get('bb').bytes, weights('bb'))).toBe(0);
    }
    const blobs = await readdir(join(cacheFolder, 'models--owner--model/blobs'));
    expect(blobs.filter((name) => name.endsWith('.incomplete'))).toEqual([]);
  });

  it('refuses a file that changes between requests, and one whose bytes are not what was announced', async () => {
    server.fail(storage(A), { kind: 'changed' });
    await expect(open()).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    const checkpoint = await open();
    server.fail(storage(A), { kind: 'corrupt' });
    await expect(downloadTensors(checkpoint, ['a'], options())).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
    expect((await downloadTensors(checkpoint, ['a'], options())).tensors.get('a')?.file).not.toContain('http');
  });

  it('refuses a server that does not answer ranges', async () => {
    server.fail(storage(A), { kind: 'no-ranges' });
    await expect(open()).rejects.toMatchObject({ code: expect.stringMatching(/HUB_FAILED|FILE_CHANGED/) });
  });

  it('says so when there is nobody', async () => {
    const nobody = options();
    await server.stop();
    await expect(openCheckpoint('owner/model', nobody)).rejects.toMatchObject({
      code: 'HUB_UNREACHABLE',
      message: expect.stringMatching(/does not answer, after 5 attempts: connect ECONNREFUSED 127\.0\.0\.1:\d+$/),
    });
    server = await HubServer.start(FILES);
  });

  it('asks once where it would fail again', async () => {
    const nowhere = { ...options(), endpoint: 'http://127.0.0.1:1' };
    await expect(openCheckpoint('owner/model', nowhere)).rejects.toMatchObject({
      code: 'HUB_UNREACHABLE',
      message: 'http://127.0.0.1:1 does not answer: bad port',
    });
  });
});

describe('hubSettings', () => {
  it('follows the environment variables of huggingface_hub', async () => {
    const settings = async (env: Record<string, string>) => hubSettings({}, env);
    expect(await settings({ HF_HOME: '/h' })).toMatchObject({
      cacheFolder: '/h/hub',
      endpoint: 'https://huggingface.co',
      offline: false,
    });
    expect(await settings({ HF_HOME: '/h', HUGGINGFACE_HUB_CACHE: '/c' })).toMatchObject({ cacheFolder: '/c' });
    expect(await settings({ HF_HUB_CACHE: '/d', HUGGINGFACE_HUB_CACHE: '/c' })).toMatchObject({ cacheFolder: '/d' });
    expect(await settings({ XDG_CACHE_HOME: '/x' })).toMatchObject({ cacheFolder: '/x/huggingface/hub' });
    expect(await settings({ HF_TOKEN: '', HF_ENDPOINT: ' ', HF_TOKEN_PATH: '/nowhere' })).toMatchObject({
      endpoint: 'https://huggingface.co',
      token: undefined,
    });
    expect((await settings({ HF_TOKEN: 't', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).token).toBeUndefined();
    expect((await settings({ HUGGING_FACE_HUB_TOKEN: 'older' })).token).toBe('older');
    expect(await settings({ HF_ENDPOINT: 'https://hub.example/', HF_TOKEN: 't', HF_HUB_OFFLINE: '1' })).toMatchObject({
      endpoint: 'https://hub.example',
      token: 't',
      offline: true,
    });
    expect((await settings({ TRANSFORMERS_OFFLINE: 'ON', HF_HUB_OFFLINE: '' })).offline).toBe(true);
    expect((await settings({ TRANSFORMERS_OFFLINE: '1', HF_HUB_OFFLINE: '0' })).offline).toBe(false);
    await writeFile(join(cacheFolder, 'token'), 'from-file\n');
    expect(await settings({ HF_HOME: cacheFolder })).toMatchObject({ token: 'from-file' });
  });

  it.each([
    ['HF_HOME', '~/h', join(homedir(), 'h/hub')],
    ['HF_HUB_CACHE', '$BASE/c', '/base/c'],
    ['HUGGINGFACE_HUB_CACHE', '/x/${BASE}/~', '/x//base/~'],
    ['XDG_CACHE_HOME', '~', join(homedir(), 'huggingface/hub')],
    ['HF_HUB_CACHE', '/c/$UNSET/~/${}', '/c/$UNSET/~/${}'],
  ])('expands %s=%s, which no shell has seen, as Python does', async (name, text, cache) => {
    expect((await hubSettings({}, { [name]: text, BASE: '/base' })).cacheFolder).toBe(cache);
  });
});
