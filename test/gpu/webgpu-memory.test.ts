/** Copies on a WebGPU adapter against the same copies in host memory. Skipped where no adapter answers. */
import { array, assert, integer, nat, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeviceMemory } from '../../src/runtime/device/memory/device-memory.js';
import { HostMemory } from '../../src/runtime/device/memory/host-memory.js';
import { WebGpuMemory } from '../../src/runtime/device/memory/webgpu-memory.js';
import { webgpuAnswer, webgpuSettings } from '../../src/runtime/device/webgpu-provider.js';

const answer = await webgpuAnswer();
if (!answer.works) console.warn(`WebGPU memory is not tested here: ${answer.reason}`);

interface Piece {
  readonly part: number;
  readonly offset: number;
}

/** What two parts of an allocation hold after copies inside and between them. */
function after(memory: DeviceMemory, partBytes: number, copies: readonly { to: Piece; from: Piece; bytes: number }[]) {
  const stride = Math.ceil(partBytes / 256) * 256;
  const base = memory.allocate(2 * stride);
  const parts = memory.divide(base, [partBytes, partBytes]);
  const host = memory.allocateHost(2 * stride);
  host.bytes.forEach((_, at) => (host.bytes[at] = (at * 7 + (at >> 8)) & 255));
  memory.upload(base, host.address, 2 * stride);
  const place = ({ part, offset }: Piece) => (parts[part] ?? base) + BigInt(offset);
  memory.copy(copies.map(({ to, from, bytes }) => ({ to: place(to), from: place(from), bytes })));
  const held = parts.map((part) => {
    memory.download(host.address, part, partBytes);
    return [...host.bytes.subarray(0, partBytes)];
  });
  memory.free(base);
  return held;
}

describe.skipIf(!answer.works)('memory of a WebGPU adapter', () => {
  it('copies rows and ranges as host memory does', () => {
    using device = new WebGpuMemory(webgpuSettings());
    using host = new HostMemory();
    const rows = tuple(integer({ min: 2, max: 6 }), integer({ min: 1, max: 40 }), array(nat(99), { maxLength: 4 }));
    const check = ([count, words, picks]: [number, number, number[]]) => {
      const bytes = 4 * words;
      // Rows of the first half are read, those of the second are written.
      const half = Math.ceil(count / 2);
      const copies = picks.map((pick, index) => ({
        to: { part: pick % 2, offset: bytes * (half + (index % (count - half))) },
        from: { part: pick % 2, offset: bytes * (pick % half) },
        bytes,
      }));
      expect(after(device, count * bytes, copies)).toEqual(after(host, count * bytes, copies));
    };
    assert(property(rows, check), { numRuns: 20 });
    const ranges = [
      { to: { part: 0, offset: 12 }, from: { part: 1, offset: 40 }, bytes: 20 },
      { to: { part: 1, offset: 4 }, from: { part: 0, offset: 64 }, bytes: 8 },
    ];
    expect(after(device, 100, ranges)).toEqual(after(host, 100, ranges));
  });

  it('fills with zeros, joins what it is given, and hands out tensors by their beginnings only', () => {
    using device = new WebGpuMemory(webgpuSettings());
    const base = device.allocate(512);
    const [, second = base] = device.divide(base, [8, 8]);
    const host = device.allocateHost(8);
    host.bytes.fill(9);
    const part = { address: host.address, bytes: 4 };
    device.uploadParts(second, [part, part]);
    const read = () => {
      device.download(host.address, second, 8);
      return [...host.bytes];
    };
    expect(read()).toEqual([9, 9, 9, 9, 9, 9, 9, 9]);
    device.zero(base, 512);
    expect(read()).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    host.bytes.fill(9);
    device.upload(second, host.address, 8);
    device.zero(second + 4n, 4);
    expect(read()).toEqual([9, 9, 9, 9, 0, 0, 0, 0]);
    host.bytes.fill(9);
    device.upload(second, host.address, 8);
    device.zero(second, 4);
    expect(read()).toEqual([0, 0, 0, 0, 9, 9, 9, 9]);
    const inside = { place: device.place, address: second + 4n, dtype: 'F32', dims: [1] } as const;
    expect(() => device.locate(inside)).toThrow(RangeError);
  });

  it('uses the buffers of one division for the next that begins where it did', () => {
    using device = new WebGpuMemory(webgpuSettings());
    const base = device.allocate(4096);
    const [a = 0n, b = 0n] = device.divide(base, [1000, 400]);
    const [c, d, e = 0n] = device.divide(base, [300, 900, 300]);
    expect([c, d]).toEqual([b, a]);
    expect([a, b]).not.toContain(e);
    expect(device.divide(base, [1000, 400])).toEqual([a, b]);
    // Another beginning is there at the same time.
    expect(device.divide(base + 2048n, [400])).not.toEqual([b]);
  });

  it('says with the numbers that there is no memory', () => {
    const adapter = { name: 'some card', memoryBytes: 2 ** 33, freeBytes: 2 ** 30 };
    using device = new WebGpuMemory(webgpuSettings(), () => adapter);
    device.divide(device.allocate(512), [100, 300]);
    const details = { device: 'GPU 0', neededBytes: 2 ** 31, freeBytes: 2 ** 30, totalBytes: 2 ** 33, heldBytes: 400 };
    expect(() => device.allocate(2 ** 31)).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY', details }));
    expect(() => device.allocate(2 ** 30)).not.toThrow();
  });
});
