import { expect, it } from 'vitest';
import { vulkanAbsence } from '../../src/runtime/provider/vulkan-adapters.js';
import { deviceTable, listDevices } from '../../cli/plan/list-devices.js';
import { command } from './command.js';

it('lists every provider, and why one cannot be used', async () => {
  const listed = await listDevices();
  expect(listed.map(({ provider }) => provider)).toEqual(['cuda', 'webgpu', 'cpu']);
  for (const { answer } of listed) {
    if (answer.works) expect(answer.devices.length).toBeGreaterThan(0);
    else expect(answer.reason).not.toBe('');
  }
  const lines = deviceTable(listed).split('\n');
  expect(lines.at(-1)).toMatch(/^cpu +0 .+ threads, .+ GiB, .+ free$/);
  expect(lines.filter((line) => line.startsWith('cuda'))).not.toHaveLength(0);
});

it.runIf(process.platform === 'linux' && vulkanAbsence() !== null)('asks no library that would complain', async () => {
  const { stdout, stderr } = await command('blip2-plan', ['--devices']);
  expect(stdout).toContain('webgpu  not here: Vulkan');
  expect(stderr).toBe('');
});
