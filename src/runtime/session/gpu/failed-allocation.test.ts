/** A run that finds no memory leaves none behind, and the model answers smaller ones as before. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { floats, GOLDENS, readTensors, tensorOf } from '../../../../test/golden/golden.js';
import { hostPlaces } from '../../../../test/golden/open-on-host.js';
import { openCheckpoint } from '../../../loader/index.js';
import { parseRetrievalConfig } from '../../../model/blip2-config.js';
import { pictureGrid } from '../../graph/picture-grid.js';
import type { Address } from '../../device/memory/device-memory.js';
import { HostMemory } from '../../device/memory/host-memory.js';
import { outOfMemory } from '../../device/memory/out-of-memory.js';
import { WeightFiles } from './weights/weight-files.js';
import { GpuRetrievalModel } from './gpu-retrieval-model.js';

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
  await using model = await GpuRetrievalModel.open({
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
