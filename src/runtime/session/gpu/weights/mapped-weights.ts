/** Weights for the CPU: read where their file is mapped. Only tensors that a graph wants side by side are copied together. */
import type { Address, DeviceMemory } from '../../../device/memory/device-memory.js';
import type { WeightHome } from './weight-home.js';
import type { WeightFiles } from './weight-files.js';
import { sizeOf, type Weight } from '../units/weight.js';

export class MappedWeights implements WeightHome {
  readonly #addresses = new Map<string, Address>();

  /** @param weights by a name that is the same in all programs */
  constructor(memory: DeviceMemory, files: WeightFiles, weights: ReadonlyMap<string, Weight>) {
    for (const [name, weight] of weights) {
      const parts = weight.tensors.map((tensor) => ({
        address: files.addressOf(tensor),
        bytes: tensor.end - tensor.begin,
      }));
      const [first, ...others] = parts;
      if (first === undefined) continue;
      if (others.length === 0) {
        this.#addresses.set(name, first.address);
        continue;
      }
      const joined = memory.allocate(sizeOf(weight));
      memory.uploadParts(joined, parts, false);
      this.#addresses.set(name, joined);
    }
  }

  addressOf(name: string): Address | undefined {
    return this.#addresses.get(name);
  }
}
