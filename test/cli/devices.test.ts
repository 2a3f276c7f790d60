import { expect, it } from 'vitest';
import { deviceTable, listDevices } from '../../cli/plan/list-devices.js';

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
