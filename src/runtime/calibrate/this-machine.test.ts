import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { gpuProfileSchema, hostProfileSchema } from '../../planner/price/device-profile.js';
import { KNOWN_GPUS, UNKNOWN_GPU, UNKNOWN_HOST } from '../../planner/price/known-devices.js';
import { forgetBlink, keepBlink, readBlink, type CardIdentity, type HostIdentity } from './blink-file.js';
import { blinkHost } from './blink-host.js';
import type { BlinkRequest } from './blink-process.js';
import { hostIdentity } from './machine-identity.js';
import { thisMachine } from './this-machine.js';

const root = await mkdtemp(join(tmpdir(), 'blip2-blink-'));
afterAll(() => rm(root, { recursive: true }));
let cacheFolder = root;
beforeEach(async () => {
  cacheFolder = await mkdtemp(join(root, 'cache-'));
});

const CPU = { gpus: [], provider: 'cuda' } as const;
const host = hostProfileSchema.parse({ ...UNKNOWN_HOST, name: 'this host', memoryBytesPerSecond: 12e9 });

/** A measurement of a moment, and what was asked of it. */
function measuring() {
  const asked: BlinkRequest[] = [];
  const measure = (request: BlinkRequest) => {
    asked.push(request);
    return Promise.resolve({ cards: [], host, startingMs: 1, measuringMs: 2 });
  };
  return { asked, measure };
}

it('measures the host in a blink', async () => {
  const profile = await blinkHost('measured', false);
  expect(hostProfileSchema.parse(profile)).toEqual(profile);
  expect(profile.memoryBytesPerSecond).toBeGreaterThan(1e8);
  expect(profile.memoryBytesPerSecond).toBeLessThan(1e13);
  expect(profile.flopsPerSecond).toBeGreaterThan(1e8);
  expect(profile.leafMs).toBeGreaterThan(0);
});

it('measures what nothing is kept of, once, and keeps it whole', async () => {
  const { asked, measure } = measuring();
  expect(await thisMachine(CPU, { cacheFolder, measure })).toEqual({ gpus: [], host });
  expect(await thisMachine(CPU, { cacheFolder, measure })).toEqual({ gpus: [], host });
  expect(asked.map(({ cards, host: part }) => [cards, part])).toEqual([[[], { spins: true }]]);
  expect(await readdir(cacheFolder)).toEqual(['blink.json']);
  await forgetBlink(cacheFolder);
  await thisMachine(CPU, { cacheFolder, measure });
  expect(asked).toHaveLength(2);
});

it.each<[string, Partial<HostIdentity>]>([
  ['processor', { name: 'another, 64 threads' }],
  ['runtime', { runtime: '1.0.0' }],
  ['way its threads wait', { spins: false }],
])('measures again where the %s is another', async (_, other) => {
  const { asked, measure } = measuring();
  const stale = { ...host, name: 'as it was' };
  const identity = { ...hostIdentity(true), ...other };
  await keepBlink({ cards: [], hosts: [{ identity, day: '2026-01-01', profile: stale }] }, cacheFolder);
  expect((await thisMachine(CPU, { cacheFolder, measure })).host).toEqual(host);
  expect(asked).toHaveLength(1);
});

it.each(['', '{}', '{"schema":"blip2-device-map/blink/1","cards":[{}],"hosts":[]}', 'null'])(
  'measures again where the file says %j',
  async (text) => {
    await writeFile(join(cacheFolder, 'blink.json'), text);
    const { measure } = measuring();
    expect((await thisMachine(CPU, { cacheFolder, measure })).host).toEqual(host);
    expect((await readBlink(cacheFolder)).hosts).toHaveLength(1);
  },
);

it('goes by the table where it cannot measure, and says why', async () => {
  const measure = () => Promise.reject(new Error('the driver is asleep'));
  const machine = await thisMachine(CPU, { cacheFolder, measure });
  expect(machine.host).toEqual({ ...UNKNOWN_HOST, source: expect.stringContaining('(the driver is asleep)') });
  expect(await readdir(cacheFolder)).toEqual([]);
});

it('uses what it measured where nothing can be kept', async () => {
  const file = join(root, 'a-file');
  await writeFile(file, '');
  const { measure } = measuring();
  expect((await thisMachine(CPU, { cacheFolder: join(file, 'below'), measure })).host).toEqual(host);
});

it.each([
  ['NVIDIA H200', KNOWN_GPUS.get('H200')],
  ['NVIDIA GeForce RTX 3060', KNOWN_GPUS.get('RTX 3060')],
  ['SwiftShader Device (LLVM 16.0.0)', UNKNOWN_GPU],
])("takes WebGPU's adapter %s from the table", async (name, profile) => {
  const { measure } = measuring();
  const parts = { gpus: [0], provider: 'webgpu' } as const;
  const { gpus } = await thisMachine(parts, { cacheFolder, measure, adapters: () => [{ name }] });
  expect(gpus).toEqual([profile]);
  const nameless = await thisMachine(parts, { cacheFolder, measure, adapters: () => [] });
  expect(nameless.gpus).toEqual([UNKNOWN_GPU]);
});

it('keeps cards apart by where they are, and replaces what is of the same card', async () => {
  const card: CardIdentity = {
    name: 'NVIDIA H100 80GB HBM3',
    busId: '0000:01:00.0',
    link: { generation: 5, lanes: 16 },
    driver: '580.1',
    runtime: '1.30.0',
  };
  const profile = gpuProfileSchema.parse(KNOWN_GPUS.get('H100'));
  const of = (identity: CardIdentity, day: string) => ({ cards: [{ identity, day, profile }], hosts: [] });
  await keepBlink(of(card, '2026-01-01'), cacheFolder);
  await keepBlink(of({ ...card, busId: '0000:02:00.0' }, '2026-01-02'), cacheFolder);
  await keepBlink(of({ ...card, driver: '590.1' }, '2026-01-03'), cacheFolder);
  const kept = await readBlink(cacheFolder);
  expect(kept.cards.map(({ identity, day }) => [identity.busId, identity.driver, day])).toEqual([
    ['0000:02:00.0', '580.1', '2026-01-02'],
    ['0000:01:00.0', '590.1', '2026-01-03'],
  ]);
  expect(JSON.parse(await readFile(join(cacheFolder, 'blink.json'), 'utf8'))).toMatchObject({ hosts: [] });
});
