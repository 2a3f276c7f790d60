/** A wire's way from the device that made it to one that reads it. */
import koffi from 'koffi';
import { convertFloats } from '../../../../loader/convert/convert-floats.js';
import type { DeviceMemory } from '../../../device/memory/device-memory.js';
import type { BoundTensor } from '../../../device/ort/ort-session.js';
import type { HostStaging } from './host-staging.js';
import { wireBytes } from './wire-type.js';

/** A tensor, and in whose memory it is. */
export interface PlacedTensor {
  readonly memory: DeviceMemory;
  readonly tensor: BoundTensor;
}

/**
 * Copies in the order of both devices' runs. Where the two compute in different floats, one of them is the CPU, and the wire
 * is converted in its memory.
 */
export class WireCrossing {
  readonly #from: PlacedTensor;
  readonly #to: PlacedTensor;
  readonly #staging: HostStaging;

  /** @param staging for what is converted on its way */
  constructor(from: PlacedTensor, to: PlacedTensor, staging: HostStaging) {
    this.#from = from;
    this.#to = to;
    this.#staging = staging;
  }

  run(): void {
    const { memory: source, tensor: from } = this.#from;
    const { memory: target, tensor: to } = this.#to;
    if (from.dtype === to.dtype) return target.copyFrom(source, to.address, from.address, wireBytes(from));
    if (target.place === 'Cpu') return convertFloats(this.#read(), from.dtype, view(to), to.dtype);
    const buffer = this.#staging.forUpload(wireBytes(to));
    convertFloats(view(from), from.dtype, buffer.bytes.subarray(0, wireBytes(to)), to.dtype);
    target.upload(to.address, buffer.address, wireBytes(to));
  }

  #read(): Uint8Array {
    const { memory, tensor } = this.#from;
    if (memory.place === 'Cpu') return view(tensor);
    const buffer = this.#staging.forDownload(wireBytes(tensor));
    memory.download(buffer.address, tensor.address, wireBytes(tensor));
    return buffer.bytes.subarray(0, wireBytes(tensor));
  }
}

/** A tensor in this process's memory. */
const view = (tensor: BoundTensor): Uint8Array => new Uint8Array(koffi.view(tensor.address, wireBytes(tensor)));
