/**
 * Weights that stay on the device: one allocation of exactly their bytes, filled once. The largest come first, and use the
 * places of those that follow on their way.
 */
import { alignedBytes } from '../../../device/memory/alignment.js';
import type { Address, DeviceMemory } from '../../../device/memory/device-memory.js';
import { sizeOf, type Weight } from '../units/weight.js';
import type { WeightHome } from './weight-home.js';
import type { WeightLoader } from './weight-loader.js';

/** Places that a weight may use at most. */
const ROOMS = 16;

interface Place {
  readonly weight: Weight;
  readonly bytes: number;
  readonly address: Address;
}

export class ResidentWeights implements WeightHome {
  readonly #memory: DeviceMemory;
  readonly #loader: WeightLoader;
  /** The largest first. */
  readonly #places: readonly Place[];
  readonly #addresses = new Map<string, Address>();

  /** @param weights by a name that is the same in all programs */
  constructor(memory: DeviceMemory, loader: WeightLoader, weights: ReadonlyMap<string, Weight>) {
    this.#memory = memory;
    this.#loader = loader;
    const ordered = [...weights]
      .map(([name, weight]) => ({ name, weight, bytes: sizeOf(weight) }))
      .toSorted((a, b) => b.bytes - a.bytes);
    const sizes = ordered.map(({ bytes }) => bytes);
    const allocation = memory.allocate(sizes.reduce((sum, bytes) => sum + alignedBytes(bytes), 0));
    const addresses = memory.divide(allocation, sizes);
    this.#places = ordered.map(({ name, ...each }, index) => {
      const address = addresses[index];
      if (address === undefined) throw new RangeError(`no memory for ${name}`);
      this.#addresses.set(name, address);
      return { ...each, address };
    });
  }

  fill(): void {
    this.#places.forEach(({ weight, address }, index) =>
      this.#loader.load(weight, address, false, this.#places.slice(index + 1, index + 1 + ROOMS)),
    );
    this.#memory.synchronize();
  }

  addressOf(name: string): Address | undefined {
    return this.#addresses.get(name);
  }
}
