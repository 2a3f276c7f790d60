/** Pictures to rows for the language model, on a device. */
import { Tensor } from 'onnxruntime-node';
import type { Blip2Config } from '../../../model/blip2-config.js';
import { elementCount } from '../../../tensor/tensor-info.js';
import type { GpuFloat } from '../../graph/gpu/gpu-style.js';
import type { PictureGrid } from '../../graph/picture-grid.js';
import { wordWires, type WordBatch } from '../../session/word-wires.js';
import { fillFrom, typesOf } from './program/given-tensors.js';
import { imageChains } from './image-chains.js';
import { ProgramRun, type ProgramRunParts } from './program/program-run.js';

export interface GpuImageEncoderParts extends ProgramRunParts {
  readonly config: Blip2Config;
  /** Of what the devices give to the host. */
  readonly float: GpuFloat;
  readonly picture: PictureGrid;
}

export class GpuImageEncoder implements Disposable {
  readonly #parts: GpuImageEncoderParts;
  #bound: { readonly key: string; readonly run: ProgramRun } | null = null;
  /** One after the other: they share memory. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: GpuImageEncoderParts) {
    this.#parts = parts;
  }

  /** As `CaptionModel.encodeImages`. */
  encode(pixels: Float32Array, shape: readonly number[], words?: WordBatch): Promise<Tensor> {
    const encoded = this.#last.then(() => this.#encode(pixels, shape, words));
    this.#last = encoded.catch(() => undefined);
    return encoded;
  }

  /** Once nothing is being encoded. */
  async idle(): Promise<void> {
    await this.#last;
  }

  /** One picture after the other where few shapes should run. */
  async #encode(pixels: Float32Array, shape: readonly number[], words?: WordBatch): Promise<Tensor> {
    const [pictures = 0, ...sizes] = shape;
    const { program, config } = this.#parts;
    if (pictures <= 1 || !program.units.some(({ device }) => device.keepsShapes)) {
      return this.#encodeTogether(pixels, shape, words);
    }
    const each = pixels.length / pictures;
    const dims = [config.numQueryTokens, config.text.hiddenSize];
    const rows = new Float32Array(pictures * elementCount(dims));
    for (let picture = 0; picture < pictures; picture++) {
      const one = pixels.subarray(picture * each, (picture + 1) * each);
      const own = words === undefined ? undefined : wordsOf(words, picture);
      const made = await this.#encodeTogether(one, [1, ...sizes], own);
      rows.set(made.data as Float32Array, picture * elementCount(dims));
    }
    return new Tensor('float32', rows, [pictures, ...dims]);
  }

  async #encodeTogether(pixels: Float32Array, shape: readonly number[], words?: WordBatch): Promise<Tensor> {
    const { config, float, program } = this.#parts;
    const [pictures = 0] = shape;
    const dims = [pictures, config.numQueryTokens, config.text.hiddenSize];
    const given = words === undefined ? new Map<string, Tensor>() : wordWires(words, config.numQueryTokens);
    given.set('pixel_values', new Tensor('float32', pixels, shape));
    const run = this.#runOf(given, dims);
    if (program.runsAside) await run.runAside(fillFrom(given));
    else run.run(fillFrom(given));
    const rows = run.read('language_input').slice();
    return float === 'F16'
      ? new Tensor('float16', new Uint16Array(rows.buffer), dims)
      : new Tensor('float32', new Float32Array(rows.buffer), dims);
  }

  #runOf(given: ReadonlyMap<string, Tensor>, resultDims: readonly number[]): ProgramRun {
    const inputs = typesOf(given);
    const key = JSON.stringify([...inputs]);
    if (this.#bound?.key === key) return this.#bound.run;
    this.#unbind();
    const { float } = this.#parts;
    const run = new ProgramRun(this.#parts, {
      inputs,
      chains: imageChains(this.#parts, resultDims[0] ?? 0, given.get('word_ids')?.dims[1] ?? 0),
      results: new Map([['language_input', { dtype: float, dims: resultDims }]]),
    });
    this.#bound = { key, run };
    return run;
  }

  [Symbol.dispose](): void {
    this.#unbind();
  }

  #unbind(): void {
    this.#bound?.run[Symbol.dispose]();
    this.#bound = null;
  }
}

const wordsOf = ({ ids, mask }: WordBatch, picture: number): WordBatch => ({
  ids: ids.slice(picture, picture + 1),
  mask: mask.slice(picture, picture + 1),
});
