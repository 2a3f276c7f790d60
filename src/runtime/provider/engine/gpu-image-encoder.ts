/** Pictures to rows for the language model, on a device. */
import { Tensor } from 'onnxruntime-node';
import { convertFloats } from '../../../loader/convert/convert-floats.js';
import type { Blip2Config } from '../../../model/blip2-config.js';
import { elementCount } from '../../../tensor/tensor-info.js';
import type { GpuFloat } from '../../graph/gpu/gpu-style.js';
import type { PictureGrid } from '../../graph/picture-grid.js';
import { wireOf } from '../../session/kv-cache.js';
import { wordWires, type WordBatch } from '../../session/word-wires.js';
import { ProgramRun, type ChainType, type ProgramRunParts } from './program-run.js';
import type { WireType } from './wire-type.js';

export interface GpuImageEncoderParts extends ProgramRunParts {
  readonly config: Blip2Config;
  /** Of what the devices give to the host. */
  readonly float: GpuFloat;
  readonly picture: PictureGrid;
}

export class GpuImageEncoder implements Disposable {
  readonly #parts: GpuImageEncoderParts;
  #bound: { readonly key: string; readonly run: ProgramRun } | null = null;

  constructor(parts: GpuImageEncoderParts) {
    this.#parts = parts;
  }

  /** As `CaptionModel.encodeImages`. */
  encode(pixels: Float32Array, shape: readonly number[], words?: WordBatch): Tensor {
    const { config, float } = this.#parts;
    const [pictures = 0] = shape;
    const dims = [pictures, config.numQueryTokens, config.text.hiddenSize];
    const given = words === undefined ? new Map<string, Tensor>() : wordWires(words, config.numQueryTokens);
    given.set('pixel_values', new Tensor('float32', pixels, shape));
    const run = this.#runOf(given, dims);
    run.run((wire, bytes) => {
      const { buffer, byteOffset } = wireOf(given, wire).data as Float32Array | BigInt64Array;
      bytes.set(new Uint8Array(buffer, byteOffset, bytes.length));
    });
    const rows = new Float32Array(elementCount(dims));
    convertFloats(run.read('language_input'), float, new Uint8Array(rows.buffer), 'F32');
    return new Tensor('float32', rows, dims);
  }

  #runOf(given: ReadonlyMap<string, Tensor>, resultDims: readonly number[]): ProgramRun {
    const inputs = new Map<string, WireType>(
      [...given].map(([wire, { type, dims }]) => [wire, { dtype: type === 'int64' ? 'I64' : 'F32', dims }]),
    );
    const key = JSON.stringify([...inputs]);
    if (this.#bound?.key === key) return this.#bound.run;
    this[Symbol.dispose]();
    const { float } = this.#parts;
    const run = new ProgramRun(this.#parts, {
      inputs,
      chains: this.#chains(given, resultDims[0] ?? 0),
      results: new Map([['language_input', { dtype: float, dims: resultDims }]]),
    });
    this.#bound = { key, run };
    return run;
  }

  #chains(given: ReadonlyMap<string, Tensor>, pictures: number): Map<string, ChainType> {
    const { config, float, picture } = this.#parts;
    const { vision, qformer, numQueryTokens } = config;
    const patches = picture.rows * picture.columns + 1;
    const words = given.get('word_ids')?.dims[1] ?? 0;
    const query = (count: number): WireType => ({ dtype: 'F32', dims: [count * numQueryTokens, qformer.hiddenSize] });
    return new Map<string, ChainType>([
      ['patches', { dtype: float, dims: [pictures, patches, vision.hiddenSize] }],
      ['vision', { dtype: 'F32', dims: [pictures * patches, vision.hiddenSize] }],
      // One set of queries does for all pictures until the first layer.
      ['query', (blocks) => query(blocks.some(({ kind }) => kind === 'qformer-layer') ? pictures : 1)],
      ['words', { dtype: 'F32', dims: [pictures * words, qformer.hiddenSize] }],
    ]);
  }

  [Symbol.dispose](): void {
    this.#bound?.run[Symbol.dispose]();
    this.#bound = null;
  }
}
