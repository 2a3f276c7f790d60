import type { DeviceMemory } from '../../../device/memory/device-memory.js';
import type { BoundTensor } from '../../../device/ort/ort-session.js';
import type { RunShape } from './row-runs.js';

/** `row_shape`, which the host holds: what products of all rows at once are cut into again. A recorded run keeps the one it was recorded with. */
export class RowShape {
  readonly tensor: BoundTensor;
  readonly #values: BigInt64Array;

  constructor(memory: DeviceMemory) {
    const { address, bytes } = memory.allocateHost(3 * BigInt64Array.BYTES_PER_ELEMENT);
    this.#values = new BigInt64Array(bytes.buffer, bytes.byteOffset, 3);
    this.tensor = { place: 'Cpu', address, dtype: 'I64', dims: [3] };
  }

  set({ rows, tokens }: RunShape): void {
    this.#values.set([BigInt(rows), BigInt(tokens), -1n]);
  }
}
