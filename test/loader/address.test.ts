import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/open-checkpoint.js';
import { checkpointFingerprint } from '../../src/loader/checkpoint/fingerprint.js';
import { openAddress } from '../../src/loader/hub/open-address.js';
import { command, DEMO, ROOT } from '../cli/command.js';
import { COMMIT, HubServer } from './hub-server.js';

const INDEX = 'model.safetensors.index.json';
const SHARD = 'model-00002-of-00003.safetensors';

let files: Readonly<Record<string, Buffer>> = {};
let server: HubServer;

beforeAll(async () => {
  const names = (await readdir(join(ROOT, DEMO))).filter((name) => /\.(json|safetensors)$/.test(name));
  const pairs = names.map(async (name): Promise<[string, Buffer]> => [name, await readFile(join(ROOT, DEMO, name))]);
  files = Object.fromEntries(await Promise.all(pairs));
  server = await HubServer.start(files);
});

afterAll(() => server.stop());

const pathOf = (name: string) => `/owner/model/resolve/${COMMIT}/${name}`;
const addressOf = (name: string) => `${server.endpoint}${pathOf(name)}`;
const options = { retryDelayMs: 1, offline: false };

describe('a checkpoint by the address of its index', () => {
  it('is what the folder is, and a fraction of its bytes travel', async () => {
    const before = server.sentBytes;
    const there = await openAddress(addressOf(INDEX), options);
    const here = await openCheckpoint(join(ROOT, DEMO));
    expect(checkpointFingerprint(there)).toBe(checkpointFingerprint(here));
    expect(there.config).toEqual(here.config);
    expect(there.files.map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual(
      here.files.map(({ name, sizeBytes }) => [name, sizeBytes]),
    );
    const all = Object.values(files).reduce((sum, { length }) => sum + length, 0);
    expect(server.sentBytes - before).toBeLessThan(all / 10);
  });

  it('may be one shard, or the page that shows the index', async () => {
    const shard = await openAddress(addressOf(SHARD), options);
    expect(shard.files.map(({ name }) => name)).toEqual([SHARD]);
    const page = await openAddress(`${server.endpoint}/owner/model/blob/${COMMIT}/${INDEX}`, options);
    expect(page.files).toHaveLength(3);
  });

  it('needs no configuration', async () => {
    server.fail(pathOf('config.json'), { kind: 'status', status: 404 });
    expect((await openAddress(addressOf(INDEX), options)).config).toBeNull();
  });

  it.each([
    ['there is no such file', () => addressOf(`other.safetensors.index.json`), 'HUB_NOT_FOUND'],
    ['a page that is no file of weights', () => `${server.endpoint}/owner/model`, 'CHECKPOINT_NOT_FOUND'],
    ['a user name', () => 'https://me:secret@localhost/model.safetensors', 'CHECKPOINT_NOT_FOUND'],
    ['a server without ranges', () => addressOf(SHARD), 'HUB_FAILED'],
  ])('says what is wrong: %s', async (_what, address, code) => {
    if (code === 'HUB_FAILED') server.fail(`/storage/${SHARD}`, { kind: 'no-ranges' }, { kind: 'no-ranges' });
    await expect(openAddress(address(), options)).rejects.toMatchObject({ code });
  });

  it('says what is wrong: JSON that is no index', async () => {
    const other = await HubServer.start({ ...files, [INDEX]: Buffer.from('{"a": 1}') });
    await expect(openAddress(`${other.endpoint}${pathOf(INDEX)}`, options)).rejects.toMatchObject({
      code: 'INDEX_INVALID',
    });
    await other.stop();
  });

  it('is not asked for where nothing may be fetched', async () => {
    await expect(openAddress(addressOf(INDEX), { offline: true })).rejects.toMatchObject({ code: 'HUB_OFFLINE' });
  });

  it('is planned and estimated as the folder is', async () => {
    for (const args of [['--vram', '5M'], []]) {
      const words = args.length === 0 ? ['estimate', '--json'] : [];
      const [there, here] = await Promise.all(
        [addressOf(INDEX), DEMO].map((where) => command('blip2-plan', [...words, where, ...args])),
      );
      expect(there).toMatchObject({ code: 0 });
      expect(there?.stdout).toBe(here?.stdout);
    }
  });
});
