import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../../src/planner/price/known-devices.js';
import { keepBlink, type HostIdentity } from '../../src/runtime/calibrate/blink-file.js';
import { hostIdentity } from '../../src/runtime/calibrate/machine-identity.js';
import { vulkanAbsence } from '../../src/runtime/device/vulkan-adapters.js';
import { deviceTable, listDevices, ratesOf } from '../../cli/plan/list-devices.js';
import { command } from './command.js';

it('lists every provider, and why one cannot be used', async () => {
  const listed = await listDevices();
  expect(listed.map(({ provider }) => provider)).toEqual(['cuda', 'webgpu', 'cpu']);
  for (const { answer } of listed) {
    if (answer.works) expect(answer.devices.length).toBeGreaterThan(0);
    else expect(answer.reason).not.toBe('');
  }
  const lines = deviceTable(listed).split('\n');
  // What was measured of this machine may stand behind it.
  expect(lines.find((line) => line.startsWith('cpu'))).toMatch(/^cpu +0 .+ threads, .+ GiB, .+ free$/);
  expect(lines.filter((line) => line.startsWith('cuda'))).not.toHaveLength(0);
});

it('says what decides plans for a card, in digits that a person reads', () => {
  const card = KNOWN_GPUS.get('H200');
  if (card === undefined) throw new Error('no H200');
  expect(ratesOf(card)).toBe(
    '3840 GB/s of weights, 445 TFLOP/s in float16, link 55.0 GB/s and 0.03 ms, 720 MiB taken by driver and libraries',
  );
});

it('lets no driver write to stderr', async () => {
  // Without a folder for Wayland's socket Mesa complains.
  const { stdout, stderr } = await command('blip2-plan', ['devices'], { env: { XDG_RUNTIME_DIR: '' } });
  if (process.platform === 'linux' && vulkanAbsence() !== null) expect(stdout).toContain('webgpu  not here: Vulkan');
  expect(stderr).toBe('');
});

it('lists what was measured in a blink, with its day, and nothing that was measured of another machine', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'blip2-devices-'));
  const env = { XDG_CACHE_HOME: cache };
  const folder = join(cache, 'blip2-device-map');
  const profile = { ...UNKNOWN_HOST, memoryBytesPerSecond: 12.3e9 };
  const other = { ...hostIdentity(true), name: 'another processor' };
  const of = (identity: HostIdentity, day: string) => ({ cards: [], hosts: [{ identity, day, profile }] });
  await keepBlink(of(other, '2026-01-02'), folder);
  expect((await command('blip2-plan', ['--devices'], { env })).stdout).not.toContain('measured');
  await keepBlink(of(hostIdentity(true), '2026-01-03'), folder);
  const { stdout } = await command('blip2-plan', ['--devices'], { env });
  expect(stdout).toContain(
    'cpu     0 measured in a blink on 2026-01-03: 12.3 GB/s of weights, 0.400 TFLOP/s, 0.01 ms a module',
  );
  expect(stdout).not.toContain('2026-01-02');
  await rm(cache, { recursive: true });
});

it('plans for this machine with what it measured in a blink, once, and by the table where that is asked for', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'blip2-devices-'));
  const plan = async (...flags: string[]) => {
    const env = { XDG_CACHE_HOME: cache, BLIP2_PROFILE: '' };
    const { stdout } = await command('blip2-plan', ['--ram', '40G', '--json', ...flags], { env });
    return (JSON.parse(stdout) as { assumptions: string[] }).assumptions.join('\n');
  };
  expect(await plan('--profile', 'none')).toContain(UNKNOWN_HOST.source);
  expect(await readdir(cache)).toEqual([]);
  const measured = await plan();
  expect(measured).toMatch(/measured in a blink on \d{4}-\d\d-\d\d/);
  const file = join(cache, 'blip2-device-map', 'blink.json');
  const kept = await readFile(file, 'utf8');
  expect(await plan()).toBe(measured);
  expect(await readFile(file, 'utf8')).toBe(kept);
  await rm(cache, { recursive: true });
});
