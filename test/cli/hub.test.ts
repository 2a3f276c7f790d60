import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HubServer } from '../loader/hub-server.js';
import { command, DEMO, ROOT } from './command.js';

let server: HubServer;
let cacheFolder: string;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  const names = (await readdir(join(ROOT, DEMO))).filter((name) => /\.(json|safetensors)$/.test(name));
  const files = await Promise.all(
    names.map(async (name) => [name, await readFile(join(ROOT, DEMO, name))] as [string, Buffer]),
  );
  server = await HubServer.start(Object.fromEntries(files));
  cacheFolder = await mkdtemp(join(tmpdir(), 'blip2-hub-test-'));
  env = { HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cacheFolder, HF_TOKEN: '' };
});

afterAll(async () => {
  await server.stop();
  await rm(cacheFolder, { recursive: true });
});

it('plans a model on the hub from its headers, then captions with it, then does without the hub', async () => {
  const planned = await command('blip2-plan', ['owner/model', '--vram', '5M', '-q'], { env });
  expect(planned).toMatchObject({ code: 0, stderr: '' });
  const downloaded = server.sentBytes;

  const run = ['models/demo/pictures/shape-05.png', '--model', 'owner/model', '-q'];
  const captioned = await command('blip2-run', run, { env });
  expect(captioned).toMatchObject({ code: 0, stdout: 'a large green triangle on a gray background\n' });
  expect(server.sentBytes).toBeGreaterThan(downloaded);

  const requests = server.requests.length;
  const offline = await command('blip2-run', run, { env: { ...env, HF_HUB_OFFLINE: '1' } });
  expect(offline).toMatchObject({ code: 0, stdout: captioned.stdout });
  expect(server.requests).toHaveLength(requests);
});

it('a revision that was asked for is in the Python of a plan, and what explains a plan looks there', async () => {
  const flags = ['owner/model', '--revision', 'main', '--vram', '5M', '-q'];
  const { code, stdout } = await command('blip2-plan', [...flags, '-f', 'python'], { env });
  expect(code).toBe(0);
  expect(stdout).toMatch(/from_pretrained\(\n {4}"owner\/model",\n {4}revision="main",\n/);
  const file = join(cacheFolder, 'plan.json');
  await writeFile(file, (await command('blip2-plan', [...flags, '-f', 'json'], { env })).stdout);
  const explained = await command('blip2-plan', ['explain', file, '--json'], { env });
  expect(explained.code).toBe(0);
  expect(JSON.parse(explained.stdout)).toMatchObject({ plan: { checkpoint: { id: 'owner/model', revision: 'main' } } });
});

it('says what to do about a model that the hub does not have', async () => {
  const args = ['nobody/nothing', '--vram', '1G'];
  const [online, offline] = await Promise.all([
    command('blip2-plan', args, { env: { ...env, HF_ENDPOINT: `${server.endpoint}/elsewhere` } }),
    command('blip2-plan', args, { env: { ...env, HF_HUB_OFFLINE: '1' } }),
  ]);
  expect([online.code, offline.code]).toEqual([1, 1]);
  expect(online.stderr).toMatch(/\[HUB_\w+\]\n./);
  expect(offline.stderr).toMatch(/\[HUB_OFFLINE\]\n./);
});
