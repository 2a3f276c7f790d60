/** A BLIP-2 that compares pictures with texts, on devices with memory of their own. */
import { Tensor } from 'onnxruntime-node';
import { elementCount } from '../../../tensor/tensor-info.js';
import type { RetrievalConfig } from '../../../model/blip2-config.js';
import { gpuRetrievalSteps, type RetrievalProgram } from '../../graph/gpu/gpu-retrieval-programs.js';
import { Weights } from '../../graph/weights.js';
import type { RetrievalModel } from '../model/retrieval-model.js';
import type { Wires } from '../model/kv-cache.js';
import { wordWires, type WordBatch } from '../model/word-wires.js';
import { fillFrom, typesOf } from './program/given-tensors.js';
import { gpuUnits } from './units/gpu-units.js';
import { imageChains } from './image-chains.js';
import { ProgramRun } from './program/program-run.js';
import { startPrograms, type EngineSources, type StartedPrograms } from './program/started-programs.js';

export class GpuRetrievalModel implements RetrievalModel {
  readonly #sources: EngineSources<RetrievalConfig>;
  readonly #started: StartedPrograms<RetrievalProgram>;
  /** Of each program the newest shape. */
  readonly #runs = new Map<RetrievalProgram, { readonly key: string; readonly run: ProgramRun }>();

  private constructor(sources: EngineSources<RetrievalConfig>, started: StartedPrograms<RetrievalProgram>) {
    this.#sources = sources;
    this.#started = started;
  }

  /** @throws Blip2Error `OUT_OF_MEMORY`, `TENSOR_NOT_FOUND`, `TENSOR_SHAPE`, `ORT_FAILED` */
  static async open(sources: EngineSources<RetrievalConfig>): Promise<GpuRetrievalModel> {
    const { config, tensors, files, picture, placeOf } = sources;
    const weights = new Weights(config, tensors);
    const graphs = { config, weights, folder: '/', picture };
    const units = (program: RetrievalProgram) =>
      gpuUnits(gpuRetrievalSteps(config, program), graphs, placeOf, [program]);
    const started = await startPrograms(
      {
        vision: units('vision'),
        image_embeds: units('image_embeds'),
        text_embeds: units('text_embeds'),
        match_logits: units('match_logits'),
      },
      { weights, files, placeOf },
    );
    return new GpuRetrievalModel(sources, started);
  }

  see(pixels: Float32Array, shape: readonly number[]): Promise<Tensor> {
    const { hiddenSize } = this.#sources.config.vision;
    const [pictures = 0] = shape;
    const given = new Map([['pixel_values', new Tensor('float32', pixels, shape)]]);
    return this.#run('vision', given, pictures, [pictures * this.#patches, hiddenSize]);
  }

  embedImages(vision: Tensor): Promise<Tensor> {
    const { numQueryTokens, embedSize } = this.#sources.config;
    const pictures = this.#pictures(vision);
    return this.#run('image_embeds', new Map([['vision', vision]]), pictures, [pictures, numQueryTokens, embedSize]);
  }

  embedTexts(words: WordBatch): Promise<Tensor> {
    const { embedSize } = this.#sources.config;
    const given = wordWires(words, 0);
    const [texts = 0, tokens = 0] = given.get('word_ids')?.dims ?? [];
    return this.#run('text_embeds', given, texts, [texts, tokens, embedSize]);
  }

  match(vision: Tensor, words: WordBatch): Promise<Tensor> {
    const pictures = this.#pictures(vision);
    const given = wordWires(words, this.#sources.config.numQueryTokens).set('vision', vision);
    return this.#run('match_logits', given, pictures, [pictures, 2]);
  }

  get #patches(): number {
    const { rows, columns } = this.#sources.picture;
    return rows * columns + 1;
  }

  #pictures(vision: Tensor): number {
    return (vision.dims[0] ?? 0) / this.#patches;
  }

  #run(name: RetrievalProgram, given: Wires, rows: number, dims: readonly number[]): Promise<Tensor> {
    const run = this.#runOf(name, given, rows, dims);
    run.run(fillFrom(given));
    const values = new Float32Array(elementCount(dims));
    new Uint8Array(values.buffer).set(run.read(name));
    return Promise.resolve(new Tensor('float32', values, dims));
  }

  #runOf(name: RetrievalProgram, given: Wires, rows: number, dims: readonly number[]): ProgramRun {
    const inputs = typesOf(given);
    const key = JSON.stringify([...inputs]);
    const bound = this.#runs.get(name);
    if (bound?.key === key) return bound.run;
    bound?.run[Symbol.dispose]();
    this.#runs.delete(name);
    const { programs, shared } = this.#started;
    const program = programs[name];
    if (program === null) throw new Error(`no blocks make ${name}`);
    const words = given.get('word_ids')?.dims[1] ?? 0;
    const chains = imageChains({ ...this.#sources, ...shared }, rows, words);
    const results = new Map([[name, { dtype: 'F32', dims } as const]]);
    const run = new ProgramRun({ ...shared, program }, { inputs, chains, results });
    this.#runs.set(name, { key, run });
    return run;
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const { run } of this.#runs.values()) run[Symbol.dispose]();
    for (const each of [...this.#started.owned, ...this.#started.memories]) each[Symbol.dispose]();
    return Promise.resolve();
  }
}
