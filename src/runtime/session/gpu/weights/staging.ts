/**
 * Device memory that weights pass through: two halves, one being filled while the other is read. What is larger than a
 * half takes both.
 */
import type { Address, DeviceMemory, Fence } from '../../../device/memory/device-memory.js';
import { alignedBytes } from '../../../device/memory/alignment.js';
import { sizeOf, type Weight } from '../units/weight.js';
import type { WeightLoader } from './weight-loader.js';

type Half = 0 | 1;

/** The weights that one unit streams, and where in the staging memory they lie. */
export interface Cargo {
  readonly halves: readonly Half[];
  readonly weights: readonly Weight[];
}

export class Staging {
  readonly #memory: DeviceMemory;
  readonly #loader: WeightLoader;
  readonly #base: Address;
  readonly #halfBytes: number;
  readonly #filled: readonly [Fence, Fence];
  readonly #drained: readonly [Fence, Fence];
  /** What each half holds or is about to hold. */
  readonly #holds: [Cargo | null, Cargo | null] = [null, null];

  constructor(memory: DeviceMemory, loader: WeightLoader, halfBytes: number) {
    this.#memory = memory;
    this.#loader = loader;
    this.#halfBytes = halfBytes;
    this.#base = memory.allocate(2 * halfBytes);
    this.#filled = [memory.createFence(), memory.createFence()];
    this.#drained = [memory.createFence(), memory.createFence()];
  }

  /**
   * @param largest bytes of the largest layer, of which two are there at once
   * @param whole bytes of the largest unit, which may be there alone
   */
  static halfBytes(largest: number, whole: number): number {
    return alignedBytes(Math.max(largest, Math.ceil(whole / 2)));
  }

  /** Of each weight. */
  addressesOf({ halves: [first = 0], weights }: Cargo): readonly Address[] {
    return this.#memory.divide(this.#base + BigInt(first * this.#halfBytes), weights.map(sizeOf));
  }

  halvesFor(bytes: number, next: Half): readonly Half[] {
    return bytes > this.#halfBytes ? [0, 1] : [next];
  }

  /** Divides the halves for the weights of each unit, the largest first, so that memory with a buffer for each weight has few. */
  makeRoom(units: readonly (readonly Weight[])[]): void {
    const sized = units.map((weights) => ({
      weights,
      bytes: weights.reduce((sum, weight) => sum + alignedBytes(sizeOf(weight)), 0),
    }));
    for (const { weights, bytes } of sized.toSorted((a, b) => b.bytes - a.bytes)) {
      for (const half of [0, 1] as const) this.addressesOf({ halves: this.halvesFor(bytes, half), weights });
    }
  }

  holds(cargo: Cargo | undefined): boolean {
    return cargo !== undefined && cargo.halves.every((half) => this.#holds[half] === cargo);
  }

  /** Starts copying where the halves are free of what has not run yet. */
  fill(cargo: Cargo): boolean {
    if (cargo.halves.some((half) => this.#holds[half] !== null)) return false;
    for (const half of cargo.halves) {
      this.#holds[half] = cargo;
      this.#drained[half].holdCopies();
    }
    this.addressesOf(cargo).forEach((address, index) => {
      const weight = cargo.weights[index];
      if (weight !== undefined) this.#loader.load(weight, address, true);
    });
    for (const half of cargo.halves) this.#filled[half].afterCopies();
    return true;
  }

  /** Runs that follow see the cargo. */
  await(cargo: Cargo): void {
    for (const half of cargo.halves) this.#filled[half].holdRuns();
  }

  /** Its runs have been asked for: the halves may be filled with something else. */
  drain(cargo: Cargo): void {
    for (const half of cargo.halves) {
      this.#drained[half].afterRuns();
      this.#holds[half] = null;
    }
  }

  /** Forgets what was copied ahead and is not going to run. */
  clear(): void {
    this.#holds.fill(null);
  }
}
