/** Host memory through which runs get their inputs and give their results: one buffer for all, grown as needed. */
import type { DeviceMemory, HostBuffer } from '../../../device/memory/device-memory.js';

export class HostStaging {
  readonly #memories: readonly DeviceMemory[];
  #buffer: HostBuffer | null = null;
  #isRead = false;

  /** @param memories of the devices that read the buffer */
  constructor(memories: readonly DeviceMemory[]) {
    this.#memories = memories;
  }

  /** To be filled and uploaded; waits for the uploads from it before. */
  forUpload(bytes: number): HostBuffer {
    if (this.#isRead) this.#synchronize();
    this.#isRead = true;
    return this.#reserve(bytes);
  }

  /** To be downloaded into, which waits for everything before. The bytes are good until the next call of either. */
  forDownload(bytes: number): HostBuffer {
    this.#isRead = false;
    return this.#reserve(bytes);
  }

  #synchronize(): void {
    for (const memory of this.#memories) memory.synchronize();
  }

  #reserve(bytes: number): HostBuffer {
    if (this.#buffer !== null && this.#buffer.bytes.length >= bytes) return this.#buffer;
    const [owner] = this.#memories;
    if (owner === undefined) throw new Error('no device');
    this.#synchronize();
    this.#buffer = owner.allocateHost(Math.max(bytes, 2 * (this.#buffer?.bytes.length ?? 0)));
    return this.#buffer;
  }
}
