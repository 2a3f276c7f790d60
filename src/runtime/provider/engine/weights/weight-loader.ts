/** Weights on their way to a device, in the layout that its graphs read. */
import type { Dtype } from '../../../../tensor/dtype.js';
import { GraphBuilder } from '../../../onnx/graph-builder.js';
import type { Address, DeviceMemory } from '../../memory/device-memory.js';
import { OrtSession, type OrtSessionOptions } from '../../ort/ort-session.js';
import { runOptions } from '../device/run-options.js';
import { sizeOf, type Weight } from '../units/weight.js';
import type { WeightFiles } from './weight-files.js';

export class WeightLoader implements Disposable {
  readonly #memory: DeviceMemory;
  readonly #files: WeightFiles;
  readonly #session: OrtSessionOptions;
  readonly #transposers = new Map<Dtype, OrtSession>();
  /** Holds weights as they are stored until they are transposed. */
  #scratch: { readonly address: Address; readonly bytes: number } | null = null;

  /** @param session for the transposition of weights, which runs on the device: a memory that asks for it has one order for copies and runs */
  constructor(memory: DeviceMemory, files: WeightFiles, session: OrtSessionOptions) {
    this.#memory = memory;
    this.#files = files;
    this.#session = session;
  }

  /** @param ahead beside the runs: see `Fence` */
  load(weight: Weight, to: Address, ahead: boolean): void {
    const parts = weight.tensors.map((tensor) => ({
      address: this.#files.addressOf(tensor),
      bytes: tensor.end - tensor.begin,
    }));
    if (!weight.transposed) return this.#memory.uploadParts(to, parts, ahead);
    const scratch = this.#reserve(sizeOf(weight));
    this.#memory.uploadParts(scratch, parts, ahead);
    this.#transpose(weight, scratch, to);
  }

  /** Gives back what transposing took. */
  shrink(): void {
    if (this.#scratch !== null) this.#memory.free(this.#scratch.address);
    this.#scratch = null;
  }

  #reserve(bytes: number): Address {
    if (this.#scratch !== null && this.#scratch.bytes >= bytes) return this.#scratch.address;
    this.shrink();
    this.#scratch = { address: this.#memory.allocate(bytes), bytes };
    return this.#scratch.address;
  }

  #transpose({ tensors }: Weight, from: Address, to: Address): void {
    const [first] = tensors;
    if (first === undefined) return;
    const { dtype } = first;
    const rows = tensors.reduce((sum, { shape: [count = 0] }) => sum + count, 0);
    const columns = first.shape.slice(1).reduce((product, size) => product * size, 1);
    const session = this.#transposers.get(dtype) ?? new OrtSession(transposition(dtype), this.#session);
    this.#transposers.set(dtype, session);
    const located = (address: Address, dims: readonly number[]) =>
      this.#memory.locate({ place: this.#memory.place, address, dtype, dims });
    using binding = session.bind(
      new Map([['stored', located(from, [rows, columns])]]),
      new Map([['transposed', located(to, [columns, rows])]]),
    );
    using options = runOptions(this.#memory, 'enqueued');
    binding.run(options);
  }

  [Symbol.dispose](): void {
    for (const session of this.#transposers.values()) session[Symbol.dispose]();
    this.#transposers.clear();
  }
}

function transposition(dtype: Dtype): Uint8Array {
  const graph = new GraphBuilder('/');
  const stored = graph.input('stored', { dtype, dims: ['rows', 'columns'] });
  const attributes = { perm: { ints: [1, 0] } };
  const transposed = graph.node('Transpose', [stored], { name: 'transposed', attributes });
  graph.output('transposed', transposed, { dtype, dims: ['columns', 'rows'] });
  return graph.toModel();
}
