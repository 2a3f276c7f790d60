/** Weights that stay on the device: one allocation of exactly their bytes, filled once. */
import type { StoredTensor } from '../../../loader/checkpoint/checkpoint.js';
import type { Address, DeviceMemory } from '../memory/device-memory.js';
import { alignedBytes } from './alignment.js';
import type { WeightFiles } from './weight-files.js';

export class ResidentWeights {
  readonly bytes: number;
  readonly #base: Address;
  readonly #offsets: ReadonlyMap<string, number>;

  /** @param weights by graph input; several tensors lie one after the other */
  constructor(memory: DeviceMemory, files: WeightFiles, weights: ReadonlyMap<string, readonly StoredTensor[]>) {
    const offsets = new Map<string, number>();
    let bytes = 0;
    for (const [name, tensors] of weights) {
      offsets.set(name, bytes);
      bytes += alignedBytes(sizeOf(tensors));
    }
    this.bytes = bytes;
    this.#offsets = offsets;
    this.#base = memory.allocate(bytes);
    for (const [name, tensors] of weights) {
      let to = this.#base + BigInt(offsets.get(name) ?? 0);
      for (const tensor of tensors) {
        memory.upload(to, files.addressOf(tensor), tensor.end - tensor.begin);
        to += BigInt(tensor.end - tensor.begin);
      }
    }
    memory.synchronize();
  }

  addressOf(name: string): Address | undefined {
    const offset = this.#offsets.get(name);
    return offset === undefined ? undefined : this.#base + BigInt(offset);
  }
}

export const sizeOf = (tensors: readonly StoredTensor[]): number =>
  tensors.reduce((sum, { begin, end }) => sum + end - begin, 0);
