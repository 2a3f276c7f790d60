import type { InferenceSession } from 'onnxruntime-node';
import type { StoredTensor } from '../../../loader/format/stored-tensor.js';
import type { Blip2Config, ModelConfig } from '../../../model/blip2-config.js';
import type { Block } from '../../../model/blocks.js';
import type { PictureSize } from '../../../model/picture-size.js';
import { buildStages, type Program } from '../../graph/program.js';
import { Weights } from '../../graph/weights.js';
import { commonFolder } from '../../onnx/common-folder.js';
import type { StageWeights } from './cpu-options.js';
import { ProgramRunner } from './program-runner.js';
import { sessionPicture } from '../model/session-picture.js';

export interface SessionSources<Place, Config extends ModelConfig = Blip2Config> {
  readonly config: Config;
  /** Every one that the blocks need, floats as float32. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Of every picture, when it is not the size that the model was made for: position embeddings are interpolated. */
  readonly pictureSize?: PictureSize;
  /** Blocks at one place share a session as far as they follow each other. */
  readonly placeOf: (block: Block) => Place;
  readonly optionsOf: (place: Place, weights: StageWeights) => InferenceSession.SessionOptions;
}

/** Builds the graphs of a program and starts a session for each. */
export async function startProgram<Place>(
  program: Program,
  { config, tensors, pictureSize, placeOf, optionsOf }: SessionSources<Place, ModelConfig>,
): Promise<ProgramRunner> {
  const folder = commonFolder([...tensors.values()].map((tensor) => tensor.file));
  const weights = new Weights(config, tensors);
  const picture = await sessionPicture(config, weights, pictureSize);
  const stages = buildStages(program, placeOf, { config, weights, folder, picture });
  return ProgramRunner.create(stages, ({ place, quantized }) => optionsOf(place, { folder, quantized }));
}

/** The same for all programs of a model: each by its name, or none of them. */
export async function startPrograms<Place, Name extends string>(
  programs: Readonly<Record<Name, Program>>,
  sources: SessionSources<Place, ModelConfig>,
): Promise<Readonly<Record<Name, ProgramRunner>> & AsyncDisposable> {
  const runners = new Map<string, ProgramRunner>();
  const dispose = async (): Promise<void> => {
    for (const runner of runners.values()) await runner[Symbol.asyncDispose]();
  };
  try {
    for (const [name, program] of Object.entries<Program>(programs))
      runners.set(name, await startProgram(program, sources));
  } catch (error) {
    await dispose();
    throw error;
  }
  return { ...(Object.fromEntries(runners) as Record<Name, ProgramRunner>), [Symbol.asyncDispose]: dispose };
}
