/** Weights on their way to a device, in the layout that its graphs read. */
import type { Address, DeviceMemory } from '../../../device/memory/device-memory.js';
import type { OrtSessionOptions } from '../../../device/ort/ort-session.js';
import { sizeOf, type Weight } from '../units/weight.js';
import { MatrixTurner, type Room } from './matrix-turner.js';
import type { WeightFiles } from './weight-files.js';

export class WeightLoader implements Disposable {
  readonly #memory: DeviceMemory;
  readonly #files: WeightFiles;
  readonly #turner: MatrixTurner;
  /** Holds weights as they are stored until they are turned. */
  #scratch: Room | null = null;

  /** @param session for turning weights, which is done on the device */
  constructor(memory: DeviceMemory, files: WeightFiles, session: OrtSessionOptions) {
    this.#memory = memory;
    this.#files = files;
    this.#turner = new MatrixTurner(memory, session);
  }

  /**
   * @param ahead beside the runs: see `Fence`
   * @param rooms memory of the device that may be written meanwhile, the largest first
   */
  load(weight: Weight, to: Address, ahead: boolean, rooms: readonly Room[] = []): void {
    const { tensors, transposed } = weight;
    const parts = tensors.map((tensor) => ({
      address: this.#files.addressOf(tensor),
      bytes: tensor.end - tensor.begin,
    }));
    const [first] = tensors;
    if (!transposed || first === undefined) return this.#memory.uploadParts(to, parts, ahead);
    const rows = tensors.reduce((sum, { shape: [count = 0] }) => sum + count, 0);
    const columns = first.shape.slice(1).reduce((product, size) => product * size, 1);
    const matrix = { dtype: first.dtype, rows, columns, parts };
    if (this.#turner.turn(matrix, to, rooms, ahead)) return;
    this.#turner.turn(matrix, to, [this.reserve(sizeOf(weight))], ahead);
  }

  /** Takes memory for turning weights of so many bytes, which stays until the device is freed. */
  reserve(bytes: number): Room {
    if (this.#scratch !== null && this.#scratch.bytes >= bytes) return this.#scratch;
    if (this.#scratch !== null) this.#memory.free(this.#scratch.address);
    this.#scratch = { address: this.#memory.allocate(bytes), bytes };
    return this.#scratch;
  }

  [Symbol.dispose](): void {
    this.#turner[Symbol.dispose]();
  }
}
