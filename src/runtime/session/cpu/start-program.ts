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
