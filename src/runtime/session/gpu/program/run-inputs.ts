/** What the host gives to runs of one shape, on every device that reads it. */
import { convertFloats } from '../../../../loader/convert/convert-floats.js';
import { wireOfOutput } from '../../../graph/stage-builder.js';
import { alignedBytes } from '../../../device/memory/alignment.js';
import type { Address } from '../../../device/memory/device-memory.js';
import type { BoundTensor } from '../../../device/ort/ort-session.js';
import type { EngineDevice } from '../device/engine-device.js';
import type { GpuProgram } from './gpu-program.js';
import type { LentRoom } from './lent-room.js';
import type { HostStaging } from './host-staging.js';
import { wireBytes, type WireType } from './wire-type.js';

interface Piece {
  readonly device: EngineDevice;
  readonly address: Address;
  readonly bytes: number;
  readonly isLent: boolean;
  readonly tensors: ReadonlyMap<string, BoundTensor>;
}

export class RunInputs implements Disposable {
  readonly #types: ReadonlyMap<string, WireType>;
  readonly #staging: HostStaging;
  readonly #pieces: Piece[] = [];

  constructor(
    program: GpuProgram,
    types: ReadonlyMap<string, WireType>,
    { staging, lent = null }: { readonly staging: HostStaging; readonly lent?: LentRoom | null },
  ) {
    this.#types = types;
    this.#staging = staging;
    try {
      for (const [device, wires] of readWires(program, types)) this.#pieces.push(piece(device, wires, lent));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  tensor(wire: string, device: EngineDevice): BoundTensor {
    const tensor = this.#pieces.find((candidate) => candidate.device === device)?.tensors.get(wire);
    if (tensor === undefined) throw new Error(`nobody gives the wire ${wire}`);
    return tensor;
  }

  /**
   * @param fill writes a wire's bytes
   * @param ahead beside the runs: see `Fence`
   */
  upload(fill: (wire: string, bytes: Uint8Array) => void, ahead = false): void {
    const total = this.#pieces.reduce((sum, { bytes }) => sum + bytes, 0);
    const buffer = this.#staging.forUpload(total);
    let begin = 0;
    for (const { device, address, bytes, tensors } of this.#pieces) {
      let at = begin;
      for (const [wire, tensor] of tensors) {
        this.#fill(wire, tensor, fill, buffer.bytes.subarray(at, at + wireBytes(tensor)));
        at += alignedBytes(wireBytes(tensor));
      }
      const from = buffer.address + BigInt(begin);
      if (ahead) device.memory.uploadParts(address, [{ address: from, bytes }], true);
      else device.memory.upload(address, from, bytes);
      begin += bytes;
    }
  }

  #fill(wire: string, { dtype }: BoundTensor, fill: (wire: string, bytes: Uint8Array) => void, target: Uint8Array) {
    const type = this.#types.get(wire);
    if (type === undefined || type.dtype === dtype) return fill(wire, target);
    const given = new Uint8Array(wireBytes(type));
    fill(wire, given);
    convertFloats(given, type.dtype, target, dtype);
  }

  [Symbol.dispose](): void {
    for (const { device, address, isLent } of this.#pieces) if (!isLent) device.memory.free(address);
  }
}

/** Of each device, the inputs that its units read before any unit has made them anew, as the device has them. */
function readWires(program: GpuProgram, types: ReadonlyMap<string, WireType>) {
  const made = new Set<string>();
  const read = new Map<EngineDevice, Map<string, WireType>>();
  for (const { device, stage, rename } of program.units) {
    for (const [name, dtype] of stage.inputs) {
      const wire = wireOfOutput(rename(name));
      const type = types.get(wire);
      if (type === undefined || made.has(wire)) continue;
      const ofDevice = read.get(device) ?? new Map<string, WireType>();
      read.set(device, ofDevice.set(wire, { ...type, dtype }));
    }
    for (const name of stage.outputs.keys()) made.add(wireOfOutput(rename(name)));
  }
  return read;
}

function piece(device: EngineDevice, wires: ReadonlyMap<string, WireType>, lent: LentRoom | null): Piece {
  const { memory } = device;
  const sizes = [...wires.values()].map(wireBytes);
  const bytes = sizes.reduce((sum, size) => sum + alignedBytes(size), 0);
  const taken = lent?.take(memory, bytes) ?? null;
  const address = taken ?? memory.allocate(bytes);
  const addresses = memory.divide(address, sizes);
  const tensors = new Map(
    [...wires].map(([wire, { dtype, dims }], index) => {
      const at = addresses[index] ?? address;
      return [wire, { place: memory.place, address: at, dtype, dims }] as const;
    }),
  );
  return { device, address, bytes, tensors, isLent: taken !== null };
}
