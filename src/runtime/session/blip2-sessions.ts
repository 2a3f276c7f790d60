import { Tensor } from 'onnxruntime-node';
import type { Blip2Config } from '../../model/blip2-config.js';
import type { TokenSource } from '../generation/token-source.js';
import { imageProgram, promptProgram, tokenProgram } from '../graph/blip2-programs.js';
import type { Program } from '../graph/program.js';
import type { CaptionModel } from './caption-model.js';
import { wireOf } from './kv-cache.js';
import type { LanguagePrompt } from './language-prompt.js';
import { DecoderTokenSource } from './decoder-token-source.js';
import type { ProgramRunner } from './program-runner.js';
import { startProgram, type SessionSources } from './start-program.js';
import { T5TokenSource } from './t5-token-source.js';
import { wordWires, type WordBatch } from './word-wires.js';

/** BLIP-2 as programs over sessions: pictures to rows for the language model, and rows with ids to logits. */
export class Blip2Sessions implements CaptionModel {
  readonly #queryTokens: number;
  readonly #image: ProgramRunner;
  readonly #language: (prompt: LanguagePrompt) => TokenSource;
  readonly #runners: readonly ProgramRunner[];

  private constructor(
    { numQueryTokens }: Blip2Config,
    image: ProgramRunner,
    language: (prompt: LanguagePrompt) => TokenSource,
    runners: readonly ProgramRunner[],
  ) {
    this.#queryTokens = numQueryTokens;
    this.#image = image;
    this.#language = language;
    this.#runners = runners;
  }

  /** @throws Blip2Error `TENSOR_MISSING` or `TENSOR_SHAPE`; whatever ONNX Runtime says about a session. */
  static async create<Place>(sources: SessionSources<Place>): Promise<Blip2Sessions> {
    const { config } = sources;
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
        return new Blip2Sessions(config, image, (prompt) => new DecoderTokenSource(decoder, text, prompt), runners);
      }
      const encoder = await start(promptProgram(config));
      const decoder = await start(tokenProgram(config));
      return new Blip2Sessions(config, image, (prompt) => new T5TokenSource(encoder, decoder, text, prompt), runners);
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
  async encodeImages(pixels: Float32Array, shape: readonly number[], words?: WordBatch): Promise<Tensor> {
    const given = words === undefined ? new Map<string, Tensor>() : wordWires(words, this.#queryTokens);
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
