import { Tensor } from 'onnxruntime-node';
import type { Blip2Config } from '../../../model/blip2-config.js';
import { MOST_TOGETHER } from '../../../planner/profile/workload/encoding.js';
import { elementCount } from '../../../tensor/tensor-info.js';
import type { TokenSource } from '../../generation/token-source.js';
import type { ModelPixels } from '../../image/pixel-rules.js';
import { imageProgram, promptProgram, tokenProgram } from '../../graph/blip2-programs.js';
import type { Program } from '../../graph/program.js';
import type { CaptionModel } from '../model/caption-model.js';
import { wireOf } from '../model/kv-cache.js';
import type { LanguagePrompt } from '../model/language-prompt.js';
import { DecoderTokenSource } from './decoder-token-source.js';
import { microBatches, type PictureBatch } from '../model/micro-batches.js';
import type { ProgramRunner } from './program-runner.js';
import { startProgram, type SessionSources } from './start-program.js';
import { T5TokenSource } from './t5-token-source.js';
import { wordWires, type WordBatch } from '../model/word-wires.js';

/** BLIP-2 as programs over sessions: pictures to rows for the language model, and rows with ids to logits. */
export class Blip2Sessions implements CaptionModel {
  readonly #config: Blip2Config;
  readonly #encoded: number;
  readonly #image: ProgramRunner;
  readonly #language: (prompt: LanguagePrompt) => TokenSource;
  readonly #runners: readonly ProgramRunner[];

  private constructor(
    { config, encoded }: { readonly config: Blip2Config; readonly encoded: number },
    image: ProgramRunner,
    language: (prompt: LanguagePrompt) => TokenSource,
    runners: readonly ProgramRunner[],
  ) {
    this.#config = config;
    this.#encoded = encoded;
    this.#image = image;
    this.#language = language;
    this.#runners = runners;
  }

  /**
   * @param encoded pictures that are encoded together
   * @throws Blip2Error `TENSOR_NOT_FOUND` or `TENSOR_SHAPE`; whatever ONNX Runtime says about a session.
   */
  static async create<Place>(sources: SessionSources<Place>, encoded = MOST_TOGETHER): Promise<Blip2Sessions> {
    const { config } = sources;
    const parts = { config, encoded };
    const { text } = config;
    const runners: ProgramRunner[] = [];
    const start = async (program: Program) => {
      const runner = await startProgram(program, sources);
      runners.push(runner);
      return runner;
    };
    try {
      const image = await start(imageProgram(config));
      if (text.family !== 't5') {
        const decoder = await start(tokenProgram(config));
        return new Blip2Sessions(parts, image, (prompt) => new DecoderTokenSource(decoder, text, prompt), runners);
      }
      const encoder = await start(promptProgram(config));
      const decoder = await start(tokenProgram(config));
      return new Blip2Sessions(parts, image, (prompt) => new T5TokenSource(encoder, decoder, text, prompt), runners);
    } catch (error) {
      await dispose(runners);
      throw error;
    }
  }

  /**
   * @param pixels normalised, float32, row-major
   * @param shape `[pictures, channels, height, width]`
   * @param words the instruction of each picture, for an InstructBLIP
   * @returns rows for the language model, float32 `[pictures, numQueryTokens, hiddenSize]`
   */
  async encodeImages(pixels: ModelPixels, shape: readonly number[], words?: WordBatch): Promise<Tensor> {
    const { numQueryTokens, text } = this.#config;
    const dims = [shape[0] ?? 0, numQueryTokens, text.hiddenSize];
    const rows = new Float32Array(elementCount(dims));
    let at = 0;
    for (const batch of microBatches({ pixels, shape, words }, this.#encoded)) {
      const { data } = await this.#encode(batch);
      rows.set(data as Float32Array, at);
      at += data.length;
    }
    return new Tensor('float32', rows, dims);
  }

  async #encode({ pixels, shape, words }: PictureBatch): Promise<Tensor> {
    const given = words === undefined ? new Map<string, Tensor>() : wordWires(words, this.#config.numQueryTokens);
    if (!(pixels instanceof Float32Array)) throw new TypeError('the CPU reads float32 pixels');
    given.set('pixel_values', new Tensor('float32', pixels, shape));
    const wires = await this.#image.run(given);
    return wireOf(wires, 'language_input');
  }

  /** The language model after the given prompts: decoding algorithms read its logits. */
  tokens(prompt: LanguagePrompt): TokenSource {
    return this.#language(prompt);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await dispose(this.#runners);
  }
}

async function dispose(runners: readonly ProgramRunner[]): Promise<void> {
  for (const runner of runners) await runner[Symbol.asyncDispose]();
}
