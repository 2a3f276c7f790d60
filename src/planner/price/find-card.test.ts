import { describe, expect, it } from 'vitest';
import { findCard } from './find-card.js';
import { KNOWN_GPUS } from './known-devices.js';

const found = (name: string) => {
  const card = findCard(name);
  return card === undefined
    ? undefined
    : [card.profile.name, card.memoryBytes === null ? null : card.memoryBytes / 2 ** 20];
};

describe('findCard', () => {
  it.each([
    ['3060', 'RTX 3060', 12_288],
    ['rtx3060', 'RTX 3060', 12_288],
    ['RTX 3060', 'RTX 3060', 12_288],
    ['RTX-3060', 'RTX 3060', 12_288],
    ['geforce rtx 3060', 'RTX 3060', 12_288],
    ['NVIDIA GeForce RTX 3060', 'RTX 3060', 12_288],
    ['NVIDIA GeForce RTX 3060/PCIe/SSE2', 'RTX 3060', 12_288],
    ['3060ti', 'RTX 3060 Ti', 8192],
    ['RTX 3090 Ti', 'RTX 3090 Ti', 24_564],
    ['NVIDIA GeForce RTX 3090 Ti', 'RTX 3090 Ti', 24_564],
    ['rtx4070tisuper', 'RTX 4070 Ti SUPER', 16_376],
    ['NVIDIA GeForce RTX 4080 SUPER', 'RTX 4080 SUPER', 16_376],
    ['L4 24GB', 'L4', 23_034],
    ['4060 Ti 16GB', 'RTX 4060 Ti', 16_384],
    ['a6000', 'RTX A6000', 49_140],
    ['Tesla T4', 'T4', 15_360],
    ['Tesla V100-SXM2-16GB', 'V100', 16_384],
    ['NVIDIA L4', 'L4', 23_034],
    ['NVIDIA L40S', 'L40S', 46_068],
    ['NVIDIA A10', 'A10', 23_028],
    ['NVIDIA A100-SXM4-40GB', 'A100', 40_960],
    ['NVIDIA A100 80GB PCIe', 'A100', 81_920],
    ['a100', 'A100', 81_920],
    ['NVIDIA H100 80GB HBM3', 'H100', 81_559],
    ['NVIDIA H200', 'H200', 141e9 / 2 ** 20],
  ])('%s is %s', (name, card, memoryMiB) => {
    expect(found(name)).toEqual([card, memoryMiB]);
  });

  it('does not guess the memory of laptops', () => {
    expect(found('NVIDIA GeForce RTX 3060 Laptop GPU')).toEqual(['RTX 3060', null]);
  });

  it.each([
    '',
    'RTX',
    '3061',
    'GTX 1080',
    'RX 7900 XTX',
    'NVIDIA A10G',
    'RTX 5090 D',
    'RTX 6000 Ada',
    'NVIDIA A100 80GB PCIe MIG 1g.10gb',
  ])('knows no "%s"', (name) => {
    expect(found(name)).toBeUndefined();
  });

  it('finds every known card by its own name, in small letters and without blanks too', () => {
    for (const name of KNOWN_GPUS.keys()) {
      for (const written of [name, name.toLowerCase(), name.replaceAll(' ', ''), `NVIDIA ${name}`]) {
        expect(findCard(written)?.profile.name, written).toBe(name);
      }
    }
  });
});
