/** BLIP-2 on devices with memory of their own: what is placed there stays there or streams through, block by block. */
import type { Tensor } from 'onnxruntime-node';
import type { StoredTensor } from '../../../loader/checkpoint/checkpoint.js';
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { CaptionModel } from '../../session/caption-model.js';
import type { TokenSource } from '../../generation/token-source.js';
import { gpuCacheWires, gpuImageSteps, gpuPromptSteps, gpuTokenSteps } from '../../graph/gpu/gpu-programs.js';
import type { PictureGrid } from '../../graph/picture-grid.js';
import type { Step } from '../../graph/program.js';
import { Weights } from '../../graph/weights.js';
import type { LanguagePrompt } from '../../session/language-prompt.js';
import type { WordBatch } from '../../session/word-wires.js';
import { isHost, type PlaceOf } from './engine-device.js';
import { GpuImageEncoder } from './gpu-image-encoder.js';
import { GpuProgram } from './gpu-program.js';
import { gpuUnits, type Unit } from './gpu-units.js';
import { HostStaging } from './host-staging.js';
import { openLanguageModel, type LanguageModel } from './language-model.js';
import { LanguageTables } from './language-tables.js';
import { loadWeights } from './load-weights.js';
import { WeightFiles } from './weight-files.js';

export interface GpuModelSources {
  readonly config: Blip2Config;
  /** Each in the dtype that the device computes in which runs its block. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly picture: PictureGrid;
  /** The model frees the devices that run its blocks, unless it does not open. */
  readonly placeOf: PlaceOf;
}

export class GpuModel implements CaptionModel {
  readonly #image: GpuImageEncoder;
  readonly #language: LanguageModel;
  readonly #owned: readonly Disposable[];

  private constructor(image: GpuImageEncoder, language: LanguageModel, owned: readonly Disposable[]) {
    this.#image = image;
    this.#language = language;
    this.#owned = owned;
  }

  /** @throws Blip2Error `OUT_OF_MEMORY`, `TENSOR_MISSING`, `TENSOR_SHAPE`, `ORT_FAILED` */
  static async open(sources: GpuModelSources): Promise<GpuModel> {
    const { config, tensors, picture, placeOf } = sources;
    /** The last opened first. */
    const owned: Disposable[] = [];
    try {
      const weights = new Weights(config, tensors);
      const tensorOf = (name: string) => weights.get(name);
      const units = planUnits(sources, weights);
      const all = [...units.image, ...units.prompt, ...units.token];
      const tables = new LanguageTables(config.text, weights);
      const needed = all.flatMap((unit) =>
        [...unit.stage.weights].flatMap(([, { tensors: parts }]) => parts.map((part) => tensorOf(unit.rename(part)))),
      );
      const files = await WeightFiles.open([...needed, ...tables.tensors]);
      owned.unshift(files);
      const { weights: loaded, loaders } = loadWeights(all, files, tensorOf, placeOf);
      owned.unshift(...loaders);

      const start = (own: readonly Unit[], records: boolean): GpuProgram => {
        const program = new GpuProgram({ units: own, tensorOf, weights: loaded, records });
        owned.unshift(program);
        return program;
      };
      const devices = [...new Set(all.map(({ device }) => device))];
      const memories = devices.map(({ memory }) => memory);
      const shared = {
        staging: new HostStaging(memories),
        crossingStaging: new HostStaging(memories),
        float: (devices.find((device) => !isHost(device)) ?? devices[0])?.style.float ?? 'F32',
      };
      const encoder = new GpuImageEncoder({ ...shared, program: start(units.image, false), config, picture });
      owned.unshift(encoder);
      const language = openLanguageModel({
        ...shared,
        text: config.text,
        tables: tables.read(files),
        prompt: units.prompt.length === 0 ? null : start(units.prompt, false),
        token: start(units.token, true),
      });
      owned.unshift(language);
      return new GpuModel(encoder, language, [...owned, ...memories]);
    } catch (error) {
      for (const each of owned) each[Symbol.dispose]();
      throw error;
    }
  }

  encodeImages(pixels: Float32Array, shape: readonly number[], words?: WordBatch): Promise<Tensor> {
    return Promise.resolve(this.#image.encode(pixels, shape, words));
  }

  tokens(prompt: LanguagePrompt): TokenSource {
    return this.#language.tokens(prompt);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#owned) each[Symbol.dispose]();
    return Promise.resolve();
  }
}

function planUnits({ config, picture, placeOf }: GpuModelSources, weights: Weights) {
  const sources = { config, weights, folder: '/', picture };
  const units = (steps: readonly Step[], outputs: readonly string[]) => gpuUnits(steps, sources, placeOf, outputs);
  const caches = (program: 'prompt' | 'token', steps: readonly Step[]) =>
    steps.flatMap(({ block }) => gpuCacheWires(program, block));
  const [prompt, token] = [gpuPromptSteps(config), gpuTokenSteps(config)];
  return {
    image: units(gpuImageSteps(config), ['language_input']),
    prompt: units(prompt, caches('prompt', prompt)),
    token: units(token, ['logits', 'next_ids', ...caches('token', token)]),
  };
}
