/** Weights turned from `[out, in]` to `[in, out]` on the device, whose memory for it the caller lends. */
import type { Dtype } from '../../../../tensor/dtype.js';
import { GraphBuilder } from '../../../onnx/graph-builder.js';
import type { Address, DeviceMemory, HostRange } from '../../../device/memory/device-memory.js';
import { OrtSession, type BoundTensor, type OrtSessionOptions } from '../../../device/ort/ort-session.js';
import { runOptions } from '../device/run-options.js';

/** Memory of the device that holds nothing yet. */
export interface Room {
  readonly address: Address;
  readonly bytes: number;
}

/** A matrix in host memory, its rows in parts one after the other. */
export interface HostMatrix {
  readonly dtype: Dtype;
  readonly rows: number;
  readonly columns: number;
  readonly parts: readonly HostRange[];
}

export class MatrixTurner implements Disposable {
  readonly #memory: DeviceMemory;
  readonly #options: OrtSessionOptions;
  readonly #sessions = new Map<string, OrtSession>();

  /** @param options of sessions on the device, whose memory has one order for copies and runs */
  constructor(memory: DeviceMemory, options: OrtSessionOptions) {
    this.#memory = memory;
    this.#options = options;
  }

  /**
   * @param to memory for `[columns, rows]`
   * @param rooms where nothing is needed any more, each on a border of its own, the largest first
   * @returns false where they do not suffice
   */
  turn(matrix: HostMatrix, to: Address, rooms: readonly Room[], ahead: boolean): boolean {
    const pieces = piecesIn(matrix, rooms);
    const [upload, ...turned] = rooms;
    if (pieces === null || upload === undefined) return false;
    const { dtype, rows, columns } = matrix;
    const rowBytes = bytesOf(matrix) / rows;
    const perPiece = Math.ceil(rows / pieces);
    const made = Array.from({ length: pieces }, (_, piece): BoundTensor => {
      const first = piece * perPiece;
      const count = Math.min(perPiece, rows - first);
      const address = pieces === 1 ? to : (turned[piece]?.address ?? to);
      const target = this.#tensor(address, dtype, [columns, count]);
      this.#memory.uploadParts(upload.address, cut(matrix.parts, first * rowBytes, count * rowBytes), ahead);
      this.#run('turn', [this.#tensor(upload.address, dtype, [count, columns])], target);
      return target;
    });
    if (pieces > 1) this.#run('join', made, this.#tensor(to, dtype, [columns, rows]));
    return true;
  }

  #tensor(address: Address, dtype: Dtype, dims: readonly number[]): BoundTensor {
    return this.#memory.locate({ place: this.#memory.place, address, dtype, dims });
  }

  #run(what: 'turn' | 'join', inputs: readonly BoundTensor[], output: BoundTensor): void {
    const key = `${what} ${output.dtype} ${inputs.length}`;
    const model = what === 'turn' ? turning : joining;
    const session = this.#sessions.get(key) ?? new OrtSession(model(output.dtype, inputs.length), this.#options);
    this.#sessions.set(key, session);
    const named = new Map(inputs.map((input, index) => [`from_${index}`, input]));
    using binding = session.bind(named, new Map([['to', output]]));
    using options = runOptions(this.#memory, 'enqueued');
    binding.run(options);
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) session[Symbol.dispose]();
    this.#sessions.clear();
  }
}

const bytesOf = ({ parts }: HostMatrix): number => parts.reduce((sum, { bytes }) => sum + bytes, 0);

/** In how many pieces a matrix is turned: with several, one room takes what is uploaded, and each of the others a turned piece. */
function piecesIn(matrix: HostMatrix, rooms: readonly Room[]): number | null {
  const { rows } = matrix;
  const rowBytes = bytesOf(matrix) / rows;
  for (let pieces = 1; pieces === 1 || pieces < rooms.length; pieces++) {
    const smallest = rooms[pieces === 1 ? 0 : pieces];
    if (smallest !== undefined && Math.ceil(rows / pieces) * rowBytes <= smallest.bytes) return pieces;
  }
  return null;
}

/** Some of the bytes that parts hold together. */
function cut(parts: readonly HostRange[], begin: number, bytes: number): HostRange[] {
  let before = 0;
  return parts.flatMap((part) => {
    const from = Math.max(begin - before, 0);
    const to = Math.min(begin + bytes - before, part.bytes);
    before += part.bytes;
    return from < to ? [{ address: part.address + BigInt(from), bytes: to - from }] : [];
  });
}

function turning(dtype: Dtype): Uint8Array {
  const graph = new GraphBuilder('/');
  const from = graph.input('from_0', { dtype, dims: ['rows', 'columns'] });
  const to = graph.node('Transpose', [from], { name: 'to', attributes: { perm: { ints: [1, 0] } } });
  graph.output('to', to, { dtype, dims: ['columns', 'rows'] });
  return graph.toModel();
}

function joining(dtype: Dtype, count: number): Uint8Array {
  const graph = new GraphBuilder('/');
  const pieces = Array.from({ length: count }, (_, index) =>
    graph.input(`from_${index}`, { dtype, dims: ['columns', `rows_${index}`] }),
  );
  const to = graph.node('Concat', pieces, { name: 'to', attributes: { axis: { int: 1 } } });
  graph.output('to', to, { dtype, dims: ['columns', 'rows'] });
  return graph.toModel();
}
