/** Host memory through which runs get their inputs and give their results: one buffer for all, grown as needed. */
import type { DeviceMemory, HostBuffer } from '../memory/device-memory.js';

export class HostStaging {
  readonly #memory: DeviceMemory;
  #buffer: HostBuffer | null = null;
  #isRead = false;

  constructor(memory: DeviceMemory) {
    this.#memory = memory;
  }

  /** To be filled and uploaded; waits for the uploads from it before. */
  forUpload(bytes: number): HostBuffer {
    if (this.#isRead) this.#memory.synchronize();
    this.#isRead = true;
    return this.#reserve(bytes);
  }

  /** To be downloaded into, which waits for everything before. The bytes are good until the next call of either. */
  forDownload(bytes: number): HostBuffer {
    this.#isRead = false;
    return this.#reserve(bytes);
  }

  #reserve(bytes: number): HostBuffer {
    if (this.#buffer === null || this.#buffer.bytes.length < bytes) {
      this.#memory.synchronize();
      const grown = Math.max(bytes, 2 * (this.#buffer?.bytes.length ?? 0));
      this.#buffer = this.#memory.allocateHost(grown);
    }
    return this.#buffer;
  }
}
