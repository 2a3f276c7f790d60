import { expect, it } from 'vitest';
import { knownGpu } from './known-devices.js';

it.each([
  ['NVIDIA H200', 'H200'],
  ['NVIDIA A100-SXM4-80GB', 'A100'],
  ['NVIDIA A10', 'A10'],
  ['NVIDIA L40S', 'L40S'],
  ['NVIDIA L4', 'L4'],
  ['Tesla T4', 'T4'],
  ['NVIDIA GeForce RTX 4090', 'RTX 4090'],
  ['NVIDIA T400', undefined],
  ['', undefined],
])('knows the card that its driver calls %j', (driverName, name) => {
  expect(knownGpu(driverName)?.name).toBe(name);
});
