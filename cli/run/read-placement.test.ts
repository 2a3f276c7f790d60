import { describe, expect, it } from 'vitest';
import { readPlacement, type PlacementArgs } from './read-placement.js';

const GIB = 2 ** 30;
const workload = { newTokens: 20 };

const placed = (args: Partial<PlacementArgs>, freeBytes: number | null) =>
  readPlacement(
    { provider: 'auto', ...args },
    () => Promise.resolve({ workload }),
    () => Promise.resolve(freeBytes),
  );

describe('a model of which nobody says where it runs', () => {
  it('has most of what the first card has free', async () => {
    const { budgets, planning } = await placed({}, 80 * GIB);
    expect(budgets).toEqual({ gpus: new Map([[0, 76 * GIB]]), ramBytes: null, diskBytes: 0 });
    expect(planning).toMatchObject({ workload });
    const quantised = await placed({ 'allow-quant': 'int8' }, 80 * GIB);
    expect(quantised.budgets?.gpus.get(0)).toBe(76 * GIB);
    expect(quantised.planning?.allowQuant).toEqual(['int8']);
  });

  it('runs on the CPU where there is no card, or where a provider is named', async () => {
    expect(await placed({}, null)).toEqual({});
    for (const provider of ['cpu', 'cuda', 'webgpu']) expect(await placed({ provider }, 80 * GIB)).toEqual({});
    expect(await placed({ 'emulate-gpu': true }, 80 * GIB)).toEqual({});
  });

  it('has what is said of it', async () => {
    expect((await placed({ vram: ['6GiB'] }, 80 * GIB)).budgets?.gpus.get(0)).toBe(6 * GIB);
    expect((await placed({ ram: '16GiB' }, 80 * GIB)).budgets).toMatchObject({ gpus: new Map(), ramBytes: 16 * GIB });
    await expect(placed({ disk: '1G' }, 80 * GIB)).rejects.toThrow('none is given');
  });
});
