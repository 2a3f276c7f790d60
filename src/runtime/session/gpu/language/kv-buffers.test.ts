/** Where keys and values lie, and that larger buffers take them over whole. */
import koffi from 'koffi';
import { expect, it } from 'vitest';
import { alignedBytes } from '../../../device/memory/alignment.js';
import { HostMemory } from '../../../device/memory/host-memory.js';
import { KvBuffers, type KvShape } from './kv-buffers.js';

const SHAPE = { layers: 2, heads: 3, headSize: 8 } as const;

it.each([
  ['F16', 16, []],
  ['F32', 32, []],
  ['U8', 8, [2]],
] as const)('of %s are taken over head by head, scales included', (dtype, headBytes, others) => {
  const memory = new HostMemory();
  const shape: KvShape = { ...SHAPE, dtype };
  const small = new KvBuffers(memory, shape, { rows: 2, capacity: 8 });
  const large = new KvBuffers(memory, shape, { rows: 4, capacity: 24 });
  const bytesOf = (buffers: KvBuffers, layer: number, part: 'key' | 'value', row: number) =>
    new Uint8Array(koffi.view(buffers.tensor(layer, part, 1, row).address, 3 * buffers.capacity * tokenBytes));
  const tokenBytes = headBytes + others.reduce<number>((sum, each) => sum + each, 0);
  expect(small.tensor(1, 'value', 2).dims).toEqual([2, 3, 8, dtype === 'U8' ? 10 : 8]);
  expect(small.span.bytes).toBe(4 * alignedBytes(2 * 3 * 8 * tokenBytes));

  for (const layer of [0, 1]) {
    for (const part of ['key', 'value'] as const) {
      for (const row of [0, 1])
        bytesOf(small, layer, part, row).forEach((_, i, all) => (all[i] = (i * 7 + row + layer) % 251));
    }
  }
  large.copyFrom(small);
  for (const layer of [0, 1]) {
    for (const part of ['key', 'value'] as const) {
      for (const row of [0, 1]) {
        const [from, to] = [bytesOf(small, layer, part, row), bytesOf(large, layer, part, row)];
        for (let head = 0; head < 3; head++) {
          let [there, here] = [head * 8 * tokenBytes, head * 24 * tokenBytes];
          for (const bytes of [headBytes, ...others]) {
            expect(to.slice(here, here + 8 * bytes)).toEqual(from.slice(there, there + 8 * bytes));
            expect(to.slice(here + 8 * bytes, here + 24 * bytes).every((byte) => byte === 0)).toBe(true);
            there += 8 * bytes;
            here += 24 * bytes;
          }
        }
      }
      expect(bytesOf(large, layer, part, 3).every((byte) => byte === 0)).toBe(true);
    }
  }
  large.copyRows([{ from: 1, to: 3 }]);
  expect(bytesOf(large, 1, 'value', 3)).toEqual(bytesOf(large, 1, 'value', 1));
  for (const buffers of [small, large]) buffers.free();
});
