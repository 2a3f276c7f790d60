/** Weights that stay on the device: one allocation of exactly their bytes, filled once. */
import { alignedBytes } from '../../memory/alignment.js';
import type { Address, DeviceMemory } from '../../memory/device-memory.js';
import { sizeOf, type Weight } from '../units/weight.js';
import type { WeightHome } from './weight-home.js';
import type { WeightLoader } from './weight-loader.js';

export class ResidentWeights implements WeightHome {
  readonly #addresses = new Map<string, Address>();

  /** @param weights by a name that is the same in all programs */
  constructor(memory: DeviceMemory, loader: WeightLoader, weights: ReadonlyMap<string, Weight>) {
    const sizes = [...weights.values()].map(sizeOf);
    const bytes = sizes.reduce((sum, size) => sum + alignedBytes(size), 0);
    const addresses = memory.divide(memory.allocate(bytes), sizes);
    [...weights].forEach(([name, weight], index) => {
      const address = addresses[index];
      if (address === undefined) throw new RangeError(`no memory for ${name}`);
      this.#addresses.set(name, address);
      loader.load(weight, address, false);
    });
    memory.synchronize();
  }

  addressOf(name: string): Address | undefined {
    return this.#addresses.get(name);
  }
}
