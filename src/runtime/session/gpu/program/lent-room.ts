/**
 * Memory of caches that others use while no sequence is open: what waits between the blocks of a streamed vision tower is as
 * large as the caches of as many captions, and the two are never needed at once.
 */
import { alignedBytes } from '../../../device/memory/alignment.js';
import type { Address, DeviceMemory } from '../../../device/memory/device-memory.js';

export interface MemorySpan {
  readonly memory: DeviceMemory;
  readonly address: Address;
  readonly bytes: number;
}

interface Offered extends MemorySpan {
  takenBytes: number;
}

export class LentRoom {
  /** Called before spans are withdrawn: whoever is bound to them has to let go. */
  onWithdraw: () => void = () => undefined;
  #offered: Offered[] = [];

  /** @param spans that begin at the device's alignment, and hold nothing but zeros that anybody reads */
  offer(spans: readonly MemorySpan[]): void {
    this.#offered = spans.map((span) => ({ ...span, takenBytes: 0 }));
  }

  withdraw(): void {
    this.onWithdraw();
    this.#offered = [];
  }

  /** null where no span of the memory has so much left. */
  take(memory: DeviceMemory, bytes: number): Address | null {
    const span = this.#offered.find((each) => each.memory === memory && each.bytes - each.takenBytes >= bytes);
    if (span === undefined) return null;
    const address = span.address + BigInt(span.takenBytes);
    span.takenBytes += alignedBytes(bytes);
    return address;
  }

  /** Everything that was taken is free again. */
  returnAll(): void {
    for (const span of this.#offered) span.takenBytes = 0;
  }

  /** The owner finds zeros again; what was taken may be written anew all the same. */
  zero(): void {
    for (const { memory, address, bytes, takenBytes } of this.#offered) {
      if (takenBytes > 0) memory.zero(address, Math.min(bytes, takenBytes));
    }
  }
}
