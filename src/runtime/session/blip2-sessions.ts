import { Tensor, type InferenceSession } from 'onnxruntime-node';
import type { StoredTensor } from '../../loader/checkpoint/checkpoint.js';
import type { Blip2Config } from '../../model/blip2-config.js';
import type { Block } from '../../model/blocks.js';
import type { TokenSource } from '../generation/token-source.js';
import { buildStages, imageProgram, textProgram, type Program } from '../graph/program.js';
import { Weights } from '../graph/weights.js';
import { commonFolder } from '../onnx/common-folder.js';
import { OptTokenSource } from './opt-token-source.js';
import { ProgramRunner } from './program-runner.js';

/** A batch of prompts: ids after the picture, padded to one length as the language model's family needs. */
export interface PromptBatch {
  readonly textIds: readonly (readonly number[])[];
  /** 1 for an id, 0 for padding; shaped as `textIds`. */
  readonly textMask: readonly (readonly number[])[];
}

export interface SessionSources<Place> {
  readonly config: Blip2Config;
  /** float32, every one that the blocks need. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Blocks at one place share a session as far as they follow each other. */
  readonly placeOf: (block: Block) => Place;
  /** @param folder the base of external data, for `model_external_initializers_file_folder_path`. */
  readonly optionsOf: (place: Place, folder: string) => InferenceSession.SessionOptions;
}

/** BLIP-2 as two programs over sessions: pictures to rows for the language model, and rows with ids to logits. */
export class Blip2Sessions implements AsyncDisposable {
  readonly #config: Blip2Config;
  readonly #image: ProgramRunner;
  readonly #text: ProgramRunner;

  private constructor(config: Blip2Config, image: ProgramRunner, text: ProgramRunner) {
    this.#config = config;
    this.#image = image;
    this.#text = text;
  }

  static async create<Place>(sources: SessionSources<Place>): Promise<Blip2Sessions> {
    const { config } = sources;
    const image = await startProgram(imageProgram(config), sources);
    try {
      return new Blip2Sessions(config, image, await startProgram(textProgram(config), sources));
    } catch (error) {
      await image[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * @param pixels normalised, float32, row-major `[pictures, channels, height, width]`
   * @returns rows for the language model, float32 `[pictures, numQueryTokens, hiddenSize]`
   */
  async encodeImages(pixels: Float32Array, shape: readonly number[]): Promise<Tensor> {
    const wires = await this.#image.run(new Map([['pixel_values', new Tensor('float32', pixels, shape)]]));
    const rows = wires.get('language_input');
    if (rows === undefined) throw new Error('the image program made no language_input');
    return rows;
  }

  /** @param prefix what `encodeImages` returned, one row per prompt. */
  tokens(prefix: Tensor, prompts: PromptBatch): TokenSource {
    const { text } = this.#config;
    if (text.family !== 'opt') throw new Error(`the ${text.family} family has no token source`);
    return new OptTokenSource(this.#text, text, { prefix, ...prompts });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#image[Symbol.asyncDispose]();
    await this.#text[Symbol.asyncDispose]();
  }
}

export async function startProgram<Place>(
  program: Program,
  { config, tensors, placeOf, optionsOf }: SessionSources<Place>,
): Promise<ProgramRunner> {
  const folder = commonFolder([...tensors.values()].map((tensor) => tensor.file));
  const stages = buildStages(program, placeOf, { config, weights: new Weights(config, tensors), folder });
  return ProgramRunner.create(stages, (place) => optionsOf(place, folder));
}
