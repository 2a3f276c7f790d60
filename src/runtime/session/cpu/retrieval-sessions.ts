import { Tensor } from 'onnxruntime-node';
import type { RetrievalConfig } from '../../../model/blip2-config.js';
import type { Program } from '../../graph/program.js';
import { imageEmbedProgram, matchProgram, textEmbedProgram, visionProgram } from '../../graph/retrieval-programs.js';
import { wireOf } from '../model/kv-cache.js';
import type { ProgramRunner } from './program-runner.js';
import type { RetrievalModel } from '../model/retrieval-model.js';
import { startProgram, type SessionSources } from './start-program.js';
import { wordWires, type WordBatch } from '../model/word-wires.js';

type Runners = Readonly<Record<'vision' | 'image' | 'text' | 'match', ProgramRunner>>;

/** The four programs of a retrieval checkpoint over sessions. */
export class RetrievalSessions implements RetrievalModel {
  readonly #config: RetrievalConfig;
  readonly #runners: Runners;

  private constructor(config: RetrievalConfig, runners: Runners) {
    this.#config = config;
    this.#runners = runners;
  }

  /** @throws Blip2Error `TENSOR_NOT_FOUND` or `TENSOR_SHAPE`; whatever ONNX Runtime says about a session. */
  static async create<Place>(sources: SessionSources<Place, RetrievalConfig>): Promise<RetrievalSessions> {
    const { config } = sources;
    const runners: ProgramRunner[] = [];
    const start = async (program: Program) => {
      const runner = await startProgram(program, sources);
      runners.push(runner);
      return runner;
    };
    try {
      return new RetrievalSessions(config, {
        vision: await start(visionProgram(config)),
        image: await start(imageEmbedProgram(config)),
        text: await start(textEmbedProgram(config)),
        match: await start(matchProgram(config)),
      });
    } catch (error) {
      for (const runner of runners) await runner[Symbol.asyncDispose]();
      throw error;
    }
  }

  async see(pixels: Float32Array, shape: readonly number[]): Promise<Tensor> {
    const wires = await this.#runners.vision.run(new Map([['pixel_values', new Tensor('float32', pixels, shape)]]));
    return wireOf(wires, 'vision');
  }

  async embedImages(vision: Tensor): Promise<Tensor> {
    return wireOf(await this.#runners.image.run(new Map([['vision', vision]])), 'image_embeds');
  }

  async embedTexts(words: WordBatch): Promise<Tensor> {
    return wireOf(await this.#runners.text.run(wordWires(words, 0)), 'text_embeds');
  }

  async match(vision: Tensor, words: WordBatch): Promise<Tensor> {
    const given = wordWires(words, this.#config.numQueryTokens);
    return wireOf(await this.#runners.match.run(given.set('vision', vision)), 'match_logits');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const runner of Object.values(this.#runners)) await runner[Symbol.asyncDispose]();
  }
}
