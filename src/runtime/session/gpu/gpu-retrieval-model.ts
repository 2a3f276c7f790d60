/** A BLIP-2 that compares pictures with texts, on devices with memory of their own. */
import { Tensor } from 'onnxruntime-node';
import { elementCount } from '../../../tensor/tensor-info.js';
import type { RetrievalConfig } from '../../../model/blip2-config.js';
import { gpuRetrievalSteps, type RetrievalProgram } from '../../graph/gpu/gpu-retrieval-programs.js';
import { Weights } from '../../graph/weights.js';
import type { RetrievalModel } from '../model/retrieval-model.js';
import type { Wires } from '../model/kv-cache.js';
import { wordWires } from '../model/word-wires.js';
import { fillFrom, typesOf } from './program/given-tensors.js';
import { gpuUnits } from './units/gpu-units.js';
import { imageChains } from './image-chains.js';
import { ProgramRun } from './program/program-run.js';
import { startPrograms, type EngineSources } from './program/started-programs.js';

/** @throws Blip2Error `OUT_OF_MEMORY`, `TENSOR_NOT_FOUND`, `TENSOR_SHAPE`, `ORT_FAILED` */
export async function openGpuRetrieval(sources: EngineSources<RetrievalConfig>): Promise<RetrievalModel> {
  const { config, tensors, files, picture, placeOf } = sources;
  const weights = new Weights(config, tensors);
  const graphs = { config, weights, folder: '/', picture };
  const units = (program: RetrievalProgram) => gpuUnits(gpuRetrievalSteps(config, program), graphs, placeOf, [program]);
  const { programs, shared, owned, memories } = await startPrograms(
    {
      vision: units('vision'),
      image_embeds: units('image_embeds'),
      text_embeds: units('text_embeds'),
      match_logits: units('match_logits'),
    },
    { weights, files, placeOf },
  );
  /** Of each program the newest shape. */
  const runs = new Map<RetrievalProgram, { readonly key: string; readonly run: ProgramRun }>();
  const runOf = (name: RetrievalProgram, given: Wires, rows: number, dims: readonly number[]): ProgramRun => {
    const inputs = typesOf(given);
    const key = JSON.stringify([...inputs]);
    const bound = runs.get(name);
    if (bound?.key === key) return bound.run;
    bound?.run[Symbol.dispose]();
    runs.delete(name);
    const program = programs[name];
    if (program === null) throw new Error(`no blocks make ${name}`);
    const words = given.get('word_ids')?.dims[1] ?? 0;
    const chains = imageChains({ ...sources, ...shared }, rows, words);
    const results = new Map([[name, { dtype: 'F32', dims } as const]]);
    const run = new ProgramRun({ ...shared, program }, { inputs, chains, results });
    runs.set(name, { key, run });
    return run;
  };
  const made = (name: RetrievalProgram, given: Wires, rows: number, dims: readonly number[]): Promise<Tensor> => {
    const run = runOf(name, given, rows, dims);
    run.run(fillFrom(given));
    const values = new Float32Array(elementCount(dims));
    new Uint8Array(values.buffer).set(run.read(name));
    return Promise.resolve(new Tensor('float32', values, dims));
  };
  const { numQueryTokens, embedSize, vision: tower } = config;
  const patches = picture.rows * picture.columns + 1;
  const picturesIn = ({ dims: [rows = 0] }: Tensor): number => rows / patches;
  const byPicture = (vision: Tensor): Tensor => vision.reshape([picturesIn(vision), patches, tower.hiddenSize]);
  return {
    see(pixels, shape) {
      const [pictures = 0] = shape;
      const given = new Map([['pixel_values', new Tensor('float32', pixels, shape)]]);
      return made('vision', given, pictures, [pictures * patches, tower.hiddenSize]);
    },
    embedImages(vision) {
      const pictures = picturesIn(vision);
      return made('image_embeds', new Map([['vision', byPicture(vision)]]), pictures, [
        pictures,
        numQueryTokens,
        embedSize,
      ]);
    },
    embedTexts(words) {
      const given = wordWires(words, 0);
      const [texts = 0, tokens = 0] = given.get('word_ids')?.dims ?? [];
      return made('text_embeds', given, texts, [texts, tokens, embedSize]);
    },
    match(vision, words) {
      const pictures = picturesIn(vision);
      return made('match_logits', wordWires(words, numQueryTokens).set('vision', byPicture(vision)), pictures, [
        pictures,
        2,
      ]);
    },
    [Symbol.asyncDispose]() {
      for (const { run } of runs.values()) run[Symbol.dispose]();
      for (const each of [...owned, ...memories]) each[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}
