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
import type { RunThread } from '../../device/thread/run-thread.js';
import { AsideRuns } from './aside-runs.js';
import { fillFrom, typesOf } from './program/given-tensors.js';
import type { GpuProgram } from './program/gpu-program.js';
import { imageChains } from './image-chains.js';
import type { HostStaging } from './program/host-staging.js';
import { ProgramRun, type FillInput, type ProgramRunParts } from './program/program-run.js';
import { wireBytes } from './program/wire-type.js';

/** What encodes where other programs go on beside it. */
export interface Aside {
  /** Holds the program's sessions. */
  readonly thread: RunThread;
  /** Micro-batches that it is asked for at once. */
  readonly atOnce: number;
  /** The program for a picture alone, which is encoded in this thread. */
  readonly openAlone: () => Promise<GpuProgram>;
}

export interface GpuImageEncoderParts extends ProgramRunParts {
  readonly config: Blip2Config;
  /** Of what the devices give to the host. */
  readonly float: GpuFloat;
  readonly picture: PictureGrid;
  /** Pictures of a micro-batch. */
  readonly encoded: number;
  readonly aside: Aside | null;
}

interface Bound {
  readonly key: string;
  readonly run: ProgramRun;
}

export class GpuImageEncoder implements Disposable {
  readonly #parts: GpuImageEncoderParts;
  /** Of the micro-batches of a sweep, in their order. */
  readonly #held: Bound[] = [];
  /** What is encoded beside what this thread asks of the device. */
  readonly #aside: AsideRuns | null;
  /** Encodes pictures that are alone, once there was one. */
  #alone: Promise<GpuImageEncoder> | null = null;
  /** One after the other: they share memory. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: GpuImageEncoderParts) {
    this.#parts = parts;
    const memories = new Set(parts.program.units.map(({ device }) => device.memory));
    this.#aside = parts.aside === null ? null : new AsideRuns(parts.aside.atOnce, [...memories]);
  }

  /** As `CaptionModel.encodeImages`. */
  encode(pixels: ModelPixels, shape: readonly number[], words?: WordBatch): Promise<Tensor> {
    const batch = { pixels, shape, words };
    const { aside } = this.#parts;
    if (this.#aside !== null && aside !== null) {
      if ((shape[0] ?? 0) > 1) return this.#encodeBeside(this.#aside, batch);
      this.#alone ??= aside
        .openAlone()
        .then((program) => new GpuImageEncoder({ ...this.#parts, program, aside: null }));
      return this.#alone.then((alone) => alone.encode(pixels, shape, words));
    }
    const encoded = this.#last.then(() => this.#encode(batch));
    this.#last = encoded.catch(() => undefined);
    return encoded;
  }

  /** See `CaptionModel.encodingsBeside`. */
  get atOnceBeside(): number {
    return this.#parts.aside?.atOnce ?? 0;
  }

  /** Of the device that reads pixels. */
  get pixelFloat(): GpuFloat {
    return this.#parts.program.units[0]?.device.style.float ?? 'F32';
  }

  /** Once nothing is being encoded. Nothing can be any more. */
  async close(): Promise<void> {
    await this.#last;
    const alone = (await this.#alone?.catch(() => null)) ?? null;
    if (alone !== null) {
      await alone.close();
      alone[Symbol.dispose]();
      alone.#parts.program[Symbol.dispose]();
    }
    await this.#aside?.[Symbol.asyncDispose]();
    await this.#parts.aside?.thread[Symbol.asyncDispose]();
  }

  async #encodeBeside(aside: AsideRuns, batch: PictureBatch): Promise<Tensor> {
    const [pictures = 0] = batch.shape;
    const { together } = encodingOf({ batch: pictures, encoded: this.#parts.encoded });
    const rows = this.#newRows(pictures);
    const runs = microBatches(batch, together).map((part, index) => {
      const given = this.#given(part);
      return aside.run({
        key: keyOf(given),
        bind: (staging) => this.#bound(given, staging),
        fill: fillFrom(given),
        read: (run) => {
          const own = run.read('language_input', true);
          rows.bytes.set(own, (index * together * rows.bytes.length) / pictures);
        },
      });
    });
    await Promise.all(runs);
    return rows.tensor;
  }

  #encode(batch: PictureBatch): Tensor {
    const { program, encoded } = this.#parts;
    const [pictures = 0] = batch.shape;
    const { together, perSweep } = encodingOf({ batch: pictures, encoded });
    // Providers that keep the memory of each shape see pictures one by one.
    const size = program.keepsShapes ? 1 : together;
    const rows = this.#newRows(pictures);
    let at = 0;
    for (const sweep of microBatches(batch, program.streams ? perSweep : size)) {
      for (const run of this.#run(microBatches(sweep, size))) {
        const own = run.read('language_input');
        rows.bytes.set(own, at);
        at += own.length;
      }
      this.#parts.lent?.zero();
    }
    return rows.tensor;
  }

  #newRows(pictures: number): { readonly bytes: Uint8Array; readonly tensor: Tensor } {
    const { config, float } = this.#parts;
    const dims = [pictures, config.numQueryTokens, config.text.hiddenSize];
    const bytes = new Uint8Array(wireBytes({ dtype: float, dims }));
    const tensor =
      float === 'F16'
        ? new Tensor('float16', new Uint16Array(bytes.buffer), dims)
        : new Tensor('float32', new Float32Array(bytes.buffer), dims);
    return { bytes, tensor };
  }

  #given({ pixels, shape, words }: PictureBatch): Map<string, Tensor> {
    const wires = words === undefined ? new Map<string, Tensor>() : wordWires(words, this.#parts.config.numQueryTokens);
    return wires.set('pixel_values', pixelTensor(pixels, shape));
  }

  #run(sweep: readonly PictureBatch[]): ProgramRun[] {
    const given = sweep.map((batch) => this.#given(batch));
    const keys = given.map(keyOf);
    // All make room for other shapes: a sweep of few large micro-batches may follow one of many small ones.
    if (this.#held.some(({ key }, slot) => key !== (keys[slot] ?? key))) this[Symbol.dispose]();
    const runs = given.map((wires, slot): readonly [ProgramRun, FillInput] => [
      this.#held[slot]?.run ?? this.#hold(keys[slot] ?? '', wires),
      fillFrom(wires),
    ]);
    ProgramRun.runTogether(runs);
    return runs.map(([run]) => run);
  }

  #hold(key: string, given: Wires): ProgramRun {
    const run = this.#bound(given, this.#parts.staging);
    this.#held.push({ key, run });
    return run;
  }

  #bound(given: Wires, staging: HostStaging): ProgramRun {
    const { config, float } = this.#parts;
    const pictures = given.get('pixel_values')?.dims[0] ?? 0;
    return new ProgramRun(
      { ...this.#parts, staging },
      {
        inputs: typesOf(given),
        chains: imageChains(this.#parts, pictures, given.get('word_ids')?.dims[1] ?? 0),
        results: new Map([
          ['language_input', { dtype: float, dims: [pictures, config.numQueryTokens, config.text.hiddenSize] }],
        ]),
      },
      pictures === 1 && this.#aside === null ? 'again' : 'never',
    );
  }

  [Symbol.dispose](): void {
    for (const { run } of this.#held.splice(0)) run[Symbol.dispose]();
    this.#parts.lent?.returnAll();
  }
}

const keyOf = (given: Wires): string => JSON.stringify([...typesOf(given)]);

const pixelTensor = (pixels: ModelPixels, shape: readonly number[]): Tensor =>
  pixels instanceof Float32Array ? new Tensor('float32', pixels, shape) : new Tensor('float16', pixels, shape);
