/**
 * Runs of one shape through a program: the device memory of its wires, and its bindings. Inputs are uploaded in one piece,
 * results are downloaded when they are asked for, and what leads from unit to unit stays on the device.
 */
import type { Dtype } from '../../../tensor/dtype.js';
import { tensorBytes } from '../../../tensor/tensor-info.js';
import type { Address, DeviceMemory } from '../memory/device-memory.js';
import type { BoundTensor, OrtBinding, RunOptions } from '../ort/ort-session.js';
import { alignedBytes } from '../memory/alignment.js';
import type { GpuProgram } from './gpu-program.js';
import type { HostStaging } from './host-staging.js';

export interface WireType {
  readonly dtype: Dtype;
  readonly dims: readonly number[];
}

export interface ProgramWires {
  /** What the host gives to each run. */
  readonly inputs: ReadonlyMap<string, WireType>;
  /** What leads from unit to unit. One that is an input too starts with the input. */
  readonly chains?: ReadonlyMap<string, WireType>;
  /** What the host may read after each run. */
  readonly results?: ReadonlyMap<string, WireType>;
  /** Memory of the caller, such as caches. */
  readonly kept?: (wire: string) => BoundTensor | undefined;
}

export interface ProgramRunParts {
  readonly program: GpuProgram;
  readonly memory: DeviceMemory;
  readonly staging: HostStaging;
  /** Whether the program's sessions run in streams of their own, which do not wait for the memory's copies. */
  readonly ownStream: boolean;
}

export class ProgramRun implements Disposable {
  readonly #parts: ProgramRunParts;
  readonly #wires: ProgramWires;
  readonly #options: RunOptions;
  readonly #inputOffsets = new Map<string, number>();
  readonly #inputAddresses: readonly Address[];
  readonly #inputBytes: number;
  readonly #inputs: Address;
  readonly #results = new Map<string, BoundTensor>();
  /** Each chain's two buffers are written in turns. */
  readonly #chains = new Map<string, readonly [BoundTensor, BoundTensor]>();
  readonly #owned: Address[] = [];
  readonly #bindings: readonly OrtBinding[];

  /** @param options disposed with the run */
  constructor(parts: ProgramRunParts, wires: ProgramWires, options: RunOptions) {
    this.#parts = parts;
    this.#wires = wires;
    this.#options = options;
    let bytes = 0;
    for (const [wire, type] of wires.inputs) {
      this.#inputOffsets.set(wire, bytes);
      bytes += alignedBytes(sizeOf(type));
    }
    this.#inputBytes = bytes;
    this.#inputs = this.#allocate(bytes);
    this.#inputAddresses = parts.memory.divide(this.#inputs, [...wires.inputs.values()].map(sizeOf));
    const made = new Map<string, number>();
    this.#bindings = parts.program.bind((wire, _, use) => {
      const tensor = this.#tensor(wire, use, made.get(wire) ?? 0);
      if (use === 'output') made.set(wire, (made.get(wire) ?? 0) + 1);
      return tensor;
    });
  }

  /** @param made how many units before this one have made the wire */
  #tensor(wire: string, use: 'input' | 'output', made: number): BoundTensor {
    const { inputs, chains, results, kept } = this.#wires;
    const keptTensor = kept?.(wire);
    if (keptTensor !== undefined) return keptTensor;
    const chain = chains?.get(wire);
    const input = inputs.get(wire);
    if (use === 'input' && made === 0 && input !== undefined) {
      const address = this.#inputAddresses[[...inputs.keys()].indexOf(wire)];
      if (address === undefined) throw new Error(`no memory for ${wire}`);
      return { place: this.#parts.memory.place, address, ...input };
    }
    if (chain !== undefined) {
      const known = this.#chains.get(wire) ?? [this.#newTensor(chain), this.#newTensor(chain)];
      this.#chains.set(wire, known);
      return known[(use === 'input' ? made + 1 : made) % 2 === 0 ? 0 : 1];
    }
    const result = results?.get(wire);
    if (result === undefined) throw new Error(`nobody gives the wire ${wire}`);
    const tensor = this.#results.get(wire) ?? this.#newTensor(result);
    this.#results.set(wire, tensor);
    return tensor;
  }

  #newTensor(type: WireType): BoundTensor {
    return { place: this.#parts.memory.place, address: this.#allocate(sizeOf(type)), ...type };
  }

  #allocate(bytes: number): Address {
    const address = this.#parts.memory.allocate(bytes);
    this.#owned.push(address);
    return address;
  }

  /**
   * @param fill writes an input wire's bytes
   * @param repeats whether the same program is likely to run next
   */
  run(fill: (wire: string, bytes: Uint8Array) => void, repeats = false): void {
    const { program, memory, staging, ownStream } = this.#parts;
    const buffer = staging.forUpload(this.#inputBytes);
    for (const [wire, type] of this.#wires.inputs) {
      const offset = this.#inputOffsets.get(wire) ?? 0;
      fill(wire, buffer.bytes.subarray(offset, offset + sizeOf(type)));
    }
    memory.upload(this.#inputs, buffer.address, this.#inputBytes);
    if (ownStream) memory.synchronize();
    program.run(this.#bindings, this.#options, repeats);
  }

  /** A result of the last run, good until the next run of any shape. */
  read(wire: string): Uint8Array {
    const { memory, staging } = this.#parts;
    const tensor = this.#results.get(wire);
    if (tensor === undefined) throw new Error(`the program makes no ${wire}`);
    const bytes = sizeOf(tensor);
    const buffer = staging.forDownload(bytes);
    memory.download(buffer.address, tensor.address, bytes);
    return buffer.bytes.subarray(0, bytes);
  }

  [Symbol.dispose](): void {
    const { memory } = this.#parts;
    memory.synchronize();
    for (const binding of this.#bindings) binding[Symbol.dispose]();
    this.#options[Symbol.dispose]();
    for (const address of this.#owned) memory.free(address);
  }
}

const sizeOf = ({ dtype, dims }: WireType): number => tensorBytes({ dtype, shape: dims });
