import { at } from '../../../../checked-access.js';
import type { Address } from '../../../device/memory/device-memory.js';
import type { BoundTensor } from '../../../device/ort/ort-session.js';
import type { EngineDevice } from '../device/engine-device.js';
import type { HostStaging } from './host-staging.js';

/** Memory of a device for the shortlists of one run's logits. */
export class RunShortlists implements Disposable {
  readonly #device: EngineDevice;
  readonly #logits: BoundTensor;
  readonly #bytes: number;
  #address: Address | undefined;

  /** @param logits float32 `[rows, width]` */
  constructor(device: EngineDevice, logits: BoundTensor) {
    this.#device = device;
    this.#logits = logits;
    this.#bytes = at(logits.dims, 0) * (device.shortlists?.bytesOfRow ?? 0);
  }

  /**
   * `[rows, bytesOfRow]` of the last run, good until the next use of the staging.
   * @param divisor of logits in the sums
   */
  read(staging: HostStaging, divisor: number): Uint8Array {
    const { memory, shortlists } = this.#device;
    if (shortlists === undefined) throw new Error('a device that lists no logits');
    const { address, dims } = this.#logits;
    this.#address ??= memory.allocate(this.#bytes);
    shortlists.write({ address, rows: at(dims, 0), width: at(dims, 1) }, this.#address, divisor);
    const buffer = staging.forDownload(this.#bytes);
    memory.download(buffer.address, this.#address, this.#bytes);
    return buffer.bytes.subarray(0, this.#bytes);
  }

  [Symbol.dispose](): void {
    if (this.#address !== undefined) this.#device.memory.free(this.#address);
  }
}
