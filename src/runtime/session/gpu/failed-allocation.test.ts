/** A run that finds no memory leaves none behind, and the model answers smaller ones as before. */
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { floats, GOLDENS, readTensors, tensorOf } from '../../../../test/golden/golden.js';
import { hostPlaces, openOnHost } from '../../../../test/golden/open-on-host.js';
import { openCheckpoint } from '../../../loader/index.js';
import { parseBlip2Config, parseRetrievalConfig } from '../../../model/blip2-config.js';
import { generate } from '../../generation/generate.js';
import { pictureGrid } from '../../graph/picture-grid.js';
import type { Address } from '../../device/memory/device-memory.js';
import { HostMemory } from '../../device/memory/host-memory.js';
import { outOfMemory } from '../../device/memory/out-of-memory.js';
import { WeightFiles } from './weights/weight-files.js';
import type { GpuModel } from './gpu-model.js';
import { openGpuRetrieval } from './gpu-retrieval-model.js';

const UNLIMITED = Number.MAX_SAFE_INTEGER;

class LimitedMemory extends HostMemory {
  readonly #sizes = new Map<Address, number>();
  limitBytes = UNLIMITED;

  override allocate(bytes: number): Address {
    const { heldBytes, limitBytes } = this;
    if (heldBytes + bytes > limitBytes) {
      const freeBytes = Math.max(0, limitBytes - heldBytes);
      throw outOfMemory({ device: 'GPU 0', totalBytes: limitBytes, freeBytes, heldBytes }, bytes);
    }
    const address = super.allocate(bytes);
    this.#sizes.set(address, bytes);
    return address;
  }

  override free(address: Address): void {
    this.#sizes.delete(address);
    super.free(address);
  }

  get heldBytes(): number {
    return [...this.#sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }
}

it('frees what a failed run had allocated, and answers a smaller one again', async () => {
  const folder = join(GOLDENS, 'tiny-retrieval');
  const checkpoint = await openCheckpoint(folder);
  const config = parseRetrievalConfig(checkpoint.config);
  const memory = new LimitedMemory();
  await using model = await openGpuRetrieval({
    config,
    tensors: checkpoint.tensors,
    files: await WeightFiles.open(checkpoint.tensors.values()),
    picture: await pictureGrid(config.vision, undefined, () => Promise.reject(new Error('no other size'))),
    placeOf: hostPlaces(() => true, { device: () => ({ memory }) }),
  });
  const pixels = tensorOf(await readTensors(join(folder, 'goldens.safetensors')), 'pixel_values');
  const [, ...shape] = pixels.dims;
  const picture = floats(pixels).slice(
    0,
    shape.reduce((product, size) => product * size, 1),
  );
  const many = new Float32Array(32 * picture.length);
  const manyShape = [32, ...shape];
  // The larger run first: what the host stages inputs in is kept.
  await model.see(many, manyShape);
  const largestBytes = memory.heldBytes;
  const one = floats(await model.see(picture, [1, ...shape])).slice();
  const heldBytes = memory.heldBytes;

  // Too little for the run's inputs, and for some of its wires.
  for (const part of [0.1, 0.5, 0.9]) {
    memory.limitBytes = heldBytes + Math.floor(part * (largestBytes - heldBytes));
    await expect(async () => model.see(many, manyShape)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
    memory.limitBytes = UNLIMITED;
    expect(memory.heldBytes).toBeLessThan(heldBytes);
    expect(floats(await model.see(picture, [1, ...shape]))).toEqual(one);
    expect(memory.heldBytes).toBe(heldBytes);
  }
});

/** Has no memory once it was asked so many times. */
class FailingMemory extends HostMemory {
  allocationsLeft = Infinity;

  override allocate(bytes: number): Address {
    if (this.allocationsLeft === 0)
      throw outOfMemory({ device: 'GPU 0', totalBytes: 0, freeBytes: 0, heldBytes: 0 }, bytes);
    this.allocationsLeft -= 1;
    return super.allocate(bytes);
  }
}

it.each(['tiny-opt', 'tiny-flan-t5'])('captions as before, whatever beams found no memory for: %s', async (name) => {
  const { config: json, tensors } = await openCheckpoint(join(GOLDENS, name));
  const config = parseBlip2Config(json);
  const dims = [1, config.numQueryTokens, config.text.hiddenSize];
  const prefix = new Tensor(
    'float32',
    new Float32Array(dims.reduce((product, size) => product * size)).fill(0.5),
    dims,
  );
  const request = { contextIds: [[2]], eosTokenIds: [] };
  const caption = async (model: GpuModel, numBeams: number) =>
    generate(model.tokens({ prefix, textIds: [[2]], textMask: [[1]] }), request, { numBeams, maxNewTokens: 5 });

  const given = new Set<unknown>();
  for (let allocations = 0; !given.has('beams'); allocations++) {
    const memory = new FailingMemory();
    const device = () => ({ memory, keepsShapes: true });
    await using model = await openOnHost(config, tensors, () => true, { device });
    const alone = await caption(model, 1);
    memory.allocationsLeft = allocations;
    const found = await caption(model, 4).catch((error: unknown) => error);
    memory.allocationsLeft = Infinity;
    expect(await caption(model, 1)).toEqual(alone);
    given.add(found instanceof Error && 'code' in found ? found.code : 'beams');
  }
  expect(given).toEqual(new Set(['OUT_OF_MEMORY', 'beams']));
});
