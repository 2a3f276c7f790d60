/** Pictures encoded some at a time: what comes out, how often weights are copied, and what memory it takes. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEMO, GOLDENS, floats } from '../../../../test/golden/golden.js';
import { openOnHost, openPlanOnHost } from '../../../../test/golden/open-on-host.js';
import { openCheckpoint } from '../../../loader/index.js';
import { parseBlip2Config, type Blip2Config } from '../../../model/blip2-config.js';
import { blip2Blocks } from '../../../model/blocks.js';
import { planDeviceMap, UNKNOWN_GPU, UNKNOWN_HOST } from '../../../planner/index.js';
import type { Address, HostBuffer, HostRange } from '../../device/memory/device-memory.js';
import { HostMemory } from '../../device/memory/host-memory.js';
import type { GpuModel } from './gpu-model.js';

class CountingMemory extends HostMemory {
  readonly #sizes = new Map<Address, number>();
  weightCopies = 0;
  mostBytes = 0;

  override allocate(bytes: number): Address {
    const address = super.allocate(bytes);
    this.#sizes.set(address, bytes);
    this.mostBytes = Math.max(this.mostBytes, this.heldBytes);
    return address;
  }

  override free(address: Address): void {
    this.#sizes.delete(address);
    super.free(address);
  }

  /** What a GPU's copies go through is the host's. */
  override allocateHost(bytes: number): HostBuffer {
    const { mostBytes } = this;
    const buffer = super.allocateHost(bytes);
    this.#sizes.delete(buffer.address);
    this.mostBytes = mostBytes;
    return buffer;
  }

  override uploadParts(to: Address, parts: readonly HostRange[]): void {
    this.weightCopies += 1;
    super.uploadParts(to, parts);
  }

  get heldBytes(): number {
    return [...this.#sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }
}

const FAMILIES = ['tiny-opt', 'tiny-flan-t5', 'tiny-instructblip-t5'];
const PLACEMENTS: readonly [string, (block: string) => boolean][] = [
  ['everything resident', () => true],
  ['everything streamed', () => false],
  ['the language model resident', (block) => block.startsWith('language_model')],
  ['every second block resident', (block) => /[02468]$|head$/.test(block)],
];

/** Pictures unlike each other, and words of other lengths where the family reads any. */
function pictureBatch({ vision, qformer }: Blip2Config, count: number) {
  const { channels, imageSize } = vision;
  const size = channels * imageSize ** 2;
  const pixels = Float32Array.from(
    { length: count * size },
    (_, i) => ((i * (1 + Math.floor(i / size))) % 31) / 15 - 1,
  );
  const ids = Array.from({ length: count }, (_, picture) => [2, 3, picture + 4, 0]);
  const mask = ids.map((_, picture) => (picture % 2 === 0 ? [1, 1, 1, 0] : [1, 1, 0, 0]));
  return {
    size,
    shape: (pictures: number) => [pictures, channels, imageSize, imageSize],
    pixels,
    words: (from: number, to: number) =>
      qformer.text === null ? undefined : { ids: ids.slice(from, to), mask: mask.slice(from, to) },
  };
}

async function encoded(model: GpuModel, batch: ReturnType<typeof pictureBatch>, from: number, to: number) {
  const { pixels, size, shape, words } = batch;
  const own = pixels.subarray(from * size, to * size);
  return floats(await model.encodeImages(own, shape(to - from), words(from, to)));
}

describe.each(FAMILIES)('pictures of %s encoded some at a time', (family) => {
  it.each(PLACEMENTS)('are what they are alone, with %s', async (_, isResident) => {
    const { config: json, tensors } = await openCheckpoint(join(GOLDENS, family));
    const config = parseBlip2Config(json);
    const batch = pictureBatch(config, 7);
    await using alone = await openOnHost(config, tensors, isResident);
    await using ones = await openOnHost(config, tensors, isResident, { encoded: 1 });
    await using some = await openOnHost(config, tensors, isResident, { encoded: 3 });
    const singles: number[] = [];
    for (let picture = 0; picture < 7; picture++) singles.push(...(await encoded(alone, batch, picture, picture + 1)));
    const oneByOne: number[] = [];
    for (let picture = 0; picture < 7; picture++) oneByOne.push(...(await encoded(ones, batch, picture, picture + 1)));
    // Bit by bit, where the same shapes run.
    expect([...(await encoded(ones, batch, 0, 7))]).toEqual(oneByOne);
    for (const [index, value] of oneByOne.entries()) expect(value).toBeCloseTo(singles[index] ?? Number.NaN, 4);
    const together = [...(await encoded(some, batch, 0, 7))];
    expect(together).toHaveLength(singles.length);
    for (const [index, value] of together.entries()) expect(value).toBeCloseTo(singles[index] ?? Number.NaN, 4);
    // Other numbers of them in the same model, more and fewer, and the first again.
    for (const [from, to] of [
      [2, 3],
      [1, 6],
      [0, 7],
    ] as const) {
      const width = singles.length / 7;
      const again = await encoded(some, batch, from, to);
      for (const [index, value] of again.entries()) {
        expect(value).toBeCloseTo(singles[from * width + index] ?? Number.NaN, 4);
      }
    }
  });
});

describe.each(FAMILIES)('pictures of %s encoded beside other work', (family) => {
  it('are what they are one after the other, however many are asked for at once', async () => {
    const { config: json, tensors } = await openCheckpoint(join(GOLDENS, family));
    const config = parseBlip2Config(json);
    const batch = pictureBatch(config, 7);
    const isImage = new Map(blip2Blocks(config).map(({ name, phase }) => [name, phase === 'image']));
    await using alone = await openOnHost(config, tensors, () => true);
    await using beside = await openOnHost(config, tensors, () => true, {
      deviceOf: (block) => (isImage.get(block) === true ? 0 : 1),
      device: () => ({ beside: () => expect.unreachable('the language model has a device of its own') }),
    });
    expect([alone.encodingsBeside, beside.encodingsBeside]).toEqual([0, 2]);
    const stretches = [
      [0, 3],
      [3, 6],
      [6, 7],
      [0, 7],
      [2, 3],
      [3, 6],
      [1, 4],
    ] as const;
    const asked = await Promise.all(stretches.map(([from, to]) => encoded(beside, batch, from, to)));
    for (const [index, [from, to]] of stretches.entries()) {
      expect([...(asked[index] ?? [])]).toEqual([...(await encoded(alone, batch, from, to))]);
    }
  });
});

describe('streamed weights', () => {
  it('are copied once for all pictures of a sweep, and for each sweep', async () => {
    const { config: json, tensors } = await openCheckpoint(join(GOLDENS, 'tiny-opt'));
    const config = parseBlip2Config(json);
    const batch = pictureBatch(config, 65);
    const copies = async (encodedTogether: number, pictures: number) => {
      const memory = new CountingMemory();
      await using model = await openOnHost(config, tensors, (block) => block.startsWith('language_model'), {
        device: () => ({ memory }),
        encoded: encodedTogether,
      });
      const before = memory.weightCopies;
      await encoded(model, batch, 0, pictures);
      return memory.weightCopies - before;
    };
    const one = await copies(1, 1);
    expect(one).toBeGreaterThan(10);
    for (const [together, pictures] of [
      [1, 4],
      [3, 7],
      [8, 64],
      [65, 65],
    ] as const) {
      expect(await copies(together, pictures)).toBe(one);
    }
    // What both sweeps find in the staging memory, the second does not copy again.
    const twice = await copies(8, 65);
    expect(twice).toBeGreaterThan(1.5 * one);
    expect(twice).toBeLessThanOrEqual(2 * one);
  });
});

describe('the memory of pictures encoded some at a time', () => {
  /** What the engine takes for a batch of the demo, and what the plan has for it. */
  async function taken(gpuBytes: number, workload: { readonly batch: number; readonly encoded?: number }) {
    const checkpoint = await openCheckpoint(DEMO);
    const config = parseBlip2Config(checkpoint.config);
    const result = planDeviceMap(checkpoint.tensors, {
      config: checkpoint.config,
      dtype: 'float32',
      // A host too slow to compute: what does not stay on the GPU streams through it.
      machine: { gpus: [UNKNOWN_GPU], host: { ...UNKNOWN_HOST, flopsPerSecond: 1e6 } },
      budgets: { gpus: new Map([[0, gpuBytes]]), ramBytes: null, diskBytes: 0 },
      workload,
    });
    if (result.status === 'infeasible') throw new Error('the demo does not fit');
    const { placements, devices } = result.plan;
    const memory = new CountingMemory();
    await using model = await openPlanOnHost(
      config,
      checkpoint.tensors,
      placements,
      (id) => (id === 0 ? { memory } : {}),
      workload,
    );
    const loaded = memory.heldBytes;
    memory.mostBytes = loaded;
    const { batch } = workload;
    const { promptTokens, newTokens } = result.plan.workload;
    model.reserve({ rows: batch, promptTokens, newTokens });
    const reserved = memory.heldBytes;
    await encoded(model, pictureBatch(config, batch), 0, batch);
    const gpu = devices.find(({ id }) => id === 0);
    const streams = placements.some(({ phase, execution }) => phase === 'image' && execution === 'streamed');
    const plannedBytes = (gpu?.activationBytes ?? 0) + (gpu?.cacheBytes ?? 0);
    const bytes = memory.mostBytes - loaded;
    return { bytes, encodingBytes: memory.mostBytes - reserved, plannedBytes, streams };
  }

  it('is within what the plan has for it, and no more than a micro-batch where all stays', async () => {
    const resident = await taken(200 * 2 ** 20, { batch: 24, encoded: 4 });
    const together = await taken(200 * 2 ** 20, { batch: 24 });
    expect([resident.streams, together.streams]).toEqual([false, false]);
    for (const { bytes, plannedBytes } of [resident, together]) expect(bytes).toBeLessThanOrEqual(plannedBytes);
    expect(together.encodingBytes / resident.encodingBytes).toBeCloseTo(6, 1);
  });

  it('is that of the caches where weights are streamed, and within the plan', async () => {
    const some = await taken(16 * 2 ** 20, { batch: 24, encoded: 4 });
    expect(some.streams).toBe(true);
    expect(some.bytes).toBeLessThanOrEqual(some.plannedBytes);
    // In the memory of the caches, as far as it goes.
    expect(some.encodingBytes).toBeLessThan(some.bytes / 2);
  });

  it('leaves more for others where the layers of the Q-Former pass one by one', async () => {
    const { config: json, tensors } = await openCheckpoint(DEMO);
    const config = parseBlip2Config(json);
    const staged = async (encodedTogether?: number) => {
      const memory = new CountingMemory();
      const isResident = (block: string) => block.startsWith('language_model');
      await using _ = await openOnHost(config, tensors, isResident, {
        device: () => ({ memory }),
        encoded: encodedTogether,
      });
      return memory.heldBytes;
    };
    const qformerBytes = [...tensors].reduce(
      (sum, [name, { begin, end }]) => sum + (name.startsWith('qformer.encoder') ? end - begin : 0),
      0,
    );
    const [inOnePiece, layerByLayer] = [await staged(), await staged(4)];
    expect(inOnePiece - layerByLayer).toBeGreaterThan(qformerBytes / 4);
  });
});
