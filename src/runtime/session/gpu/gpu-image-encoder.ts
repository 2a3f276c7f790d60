/**
 * Pictures to rows for the language model, on a device, in micro-batches: one after the other, or, where weights are
 * streamed, side by side, so that these pass the device once for all of them.
 */
import { Tensor } from 'onnxruntime-node';
import type { Blip2Config } from '../../../model/blip2-config.js';
import { encodingOf } from '../../../planner/profile/workload/encoding.js';
import type { GpuFloat } from '../../graph/gpu/gpu-style.js';
import type { ModelPixels } from '../../image/pixel-rules.js';
import type { PictureGrid } from '../../graph/picture-grid.js';
import type { Wires } from '../model/kv-cache.js';
import { microBatches, type PictureBatch } from '../model/micro-batches.js';
import { wordWires, type WordBatch } from '../model/word-wires.js';
import { RunThread } from '../../device/ort/run-thread.js';
import { fillFrom, typesOf } from './program/given-tensors.js';
import { imageChains } from './image-chains.js';
import { ProgramRun, type FillInput, type ProgramRunParts } from './program/program-run.js';
import { wireBytes } from './program/wire-type.js';

export interface GpuImageEncoderParts extends ProgramRunParts {
  readonly config: Blip2Config;
  /** Of what the devices give to the host. */
  readonly float: GpuFloat;
  readonly picture: PictureGrid;
  /** Pictures of a micro-batch. */
  readonly encoded: number;
  /** Whether pictures may be encoded beside other programs: what these run is ordered apart. */
  readonly isAside: boolean;
}

interface Bound {
  readonly key: string;
  readonly run: ProgramRun;
}

export class GpuImageEncoder implements Disposable {
  readonly #parts: GpuImageEncoderParts;
  /** Of the micro-batches of a sweep, in their order. */
  readonly #bound: Bound[] = [];
  /** In which pictures are encoded beside what this one asks of the device. */
  #thread: RunThread | null = null;
  /** One after the other: they share memory. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: GpuImageEncoderParts) {
    this.#parts = parts;
  }

  /** As `CaptionModel.encodeImages`. */
  encode(pixels: ModelPixels, shape: readonly number[], words?: WordBatch): Promise<Tensor> {
    const encoded = this.#last.then(() => this.#encode(pixels, shape, words));
    this.#last = encoded.catch(() => undefined);
    return encoded;
  }

  /** Of the device that reads pixels. */
  get pixelFloat(): GpuFloat {
    return this.#parts.program.units[0]?.device.style.float ?? 'F32';
  }

  /** Once nothing is being encoded. Nothing can be any more. */
  async close(): Promise<void> {
    await this.#last;
    await this.#thread?.[Symbol.asyncDispose]();
  }

  async #encode(pixels: ModelPixels, shape: readonly number[], words: WordBatch | undefined): Promise<Tensor> {
    const { program, config, float, encoded } = this.#parts;
    const [pictures = 0] = shape;
    const { together, perSweep } = encodingOf({ batch: pictures, encoded });
    // Providers that keep the memory of each shape see pictures one by one.
    const size = program.units.some(({ device }) => device.keepsShapes) ? 1 : together;
    const dims = [pictures, config.numQueryTokens, config.text.hiddenSize];
    const rows = new Uint8Array(wireBytes({ dtype: float, dims }));
    let at = 0;
    for (const sweep of microBatches({ pixels, shape, words }, program.streams ? perSweep : size)) {
      for (const run of await this.#run(microBatches(sweep, size))) {
        const own = run.read('language_input');
        rows.set(own, at);
        at += own.length;
      }
      this.#parts.lent?.zero();
    }
    return float === 'F16'
      ? new Tensor('float16', new Uint16Array(rows.buffer), dims)
      : new Tensor('float32', new Float32Array(rows.buffer), dims);
  }

  async #run(sweep: readonly PictureBatch[]): Promise<ProgramRun[]> {
    const { numQueryTokens } = this.#parts.config;
    const given = sweep.map(({ pixels, shape, words }) => {
      const wires = words === undefined ? new Map<string, Tensor>() : wordWires(words, numQueryTokens);
      return wires.set('pixel_values', pixelTensor(pixels, shape));
    });
    const keys = given.map((wires) => JSON.stringify([...typesOf(wires)]));
    // All make room for other shapes: a sweep of few large micro-batches may follow one of many small ones.
    if (this.#bound.some(({ key }, slot) => key !== (keys[slot] ?? key))) this[Symbol.dispose]();
    const runs = given.map((wires, slot): readonly [ProgramRun, FillInput] => [
      this.#bound[slot]?.run ?? this.#bind(keys[slot] ?? '', wires, sweep[slot]?.shape[0] ?? 0),
      fillFrom(wires),
    ]);
    const [only] = runs;
    // A picture alone has nothing to wait beside.
    const isAside = this.#parts.isAside && (sweep[0]?.shape[0] ?? 0) > 1;
    if (runs.length === 1 && only !== undefined && isAside)
      await only[0].runIn((this.#thread ??= new RunThread()), only[1]);
    else ProgramRun.runTogether(runs);
    return runs.map(([run]) => run);
  }

  #bind(key: string, given: Wires, pictures: number): ProgramRun {
    const { config, float } = this.#parts;
    const run = new ProgramRun(this.#parts, {
      inputs: typesOf(given),
      chains: imageChains(this.#parts, pictures, given.get('word_ids')?.dims[1] ?? 0),
      results: new Map([
        ['language_input', { dtype: float, dims: [pictures, config.numQueryTokens, config.text.hiddenSize] }],
      ]),
    });
    this.#bound.push({ key, run });
    return run;
  }

  [Symbol.dispose](): void {
    for (const { run } of this.#bound.splice(0)) run[Symbol.dispose]();
    this.#parts.lent?.returnAll();
  }
}

const pixelTensor = (pixels: ModelPixels, shape: readonly number[]): Tensor =>
  pixels instanceof Float32Array ? new Tensor('float32', pixels, shape) : new Tensor('float16', pixels, shape);
