/** Copies between rows of one WebGPU buffer, on the device: the provider itself copies whole buffers only. */
import { GraphBuilder } from '../../onnx/graph-builder.js';
import { copyTensor } from '../ort/copy-tensor.js';
import type { Pointer } from '../ort/ort-api.js';
import { OrtSession, RunOptions, type BoundTensor } from '../ort/ort-session.js';
import { HostMemory } from './host-memory.js';

const WORD_BYTES = 4;

export class BufferRows implements Disposable {
  readonly #session: OrtSession;
  readonly #options = new RunOptions();
  readonly #host = new HostMemory();

  /** @param settings of the provider */
  constructor(settings: Readonly<Record<string, string>>) {
    this.#session = new OrtSession(gatherModel(), { webgpu: settings });
  }

  /**
   * Gives every row of a buffer what another row of it holds.
   * @param rowBytes a multiple of 4
   * @param sources the row that each row becomes
   * @param spare a buffer of as many bytes
   */
  rearrange(buffer: Pointer, rowBytes: number, sources: readonly number[], spare: Pointer): void {
    const dims = [sources.length, rowBytes / WORD_BYTES];
    const onDevice = (address: Pointer): BoundTensor => ({ place: 'WebGPU_Buf', address, dtype: 'I32', dims });
    const index = this.#host.allocateHost(WORD_BYTES * sources.length);
    index.bytes.set(new Uint8Array(Int32Array.from(sources).buffer));
    const rows: BoundTensor = { place: 'Cpu', address: index.address, dtype: 'I32', dims: [sources.length] };
    const inputs = new Map([
      ['buffer', onDevice(buffer)],
      ['rows', rows],
    ]);
    using binding = this.#session.bind(inputs, new Map([['rearranged', onDevice(spare)]]));
    binding.run(this.#options);
    copyTensor(onDevice(spare), onDevice(buffer));
    this.#host.free(index.address);
  }

  [Symbol.dispose](): void {
    this.#options[Symbol.dispose]();
    this.#session[Symbol.dispose]();
    this.#host[Symbol.dispose]();
  }
}

function gatherModel(): Uint8Array {
  const graph = new GraphBuilder('/');
  const words = { dtype: 'I32', dims: ['rows', 'words'] } as const;
  const inputs = [graph.input('buffer', words), graph.input('rows', { dtype: 'I32', dims: ['rows'] })];
  const rearranged = graph.node('Gather', inputs, { name: 'rearranged', attributes: { axis: { int: 0 } } });
  graph.output('rearranged', rearranged, words);
  return graph.toModel();
}
