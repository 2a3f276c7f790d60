import { Tensor } from 'onnxruntime-node';
import type { RetrievalConfig } from '../../../model/blip2-config.js';
import { imageEmbedProgram, matchProgram, textEmbedProgram, visionProgram } from '../../graph/retrieval-programs.js';
import { wireOf } from '../model/kv-cache.js';
import type { RetrievalModel } from '../model/retrieval-model.js';
import { startPrograms, type SessionSources } from './start-program.js';
import { wordWires } from '../model/word-wires.js';

/**
 * The four programs of a retrieval checkpoint over sessions.
 * @throws Blip2Error `TENSOR_NOT_FOUND` or `TENSOR_SHAPE`; whatever ONNX Runtime says about a session.
 */
export async function retrievalSessions<Place>(
  sources: SessionSources<Place, RetrievalConfig>,
): Promise<RetrievalModel> {
  const { config } = sources;
  const programs = {
    vision: visionProgram(config),
    image: imageEmbedProgram(config),
    text: textEmbedProgram(config),
    match: matchProgram(config),
  };
  const { vision, image, text, match, ...runners } = await startPrograms(programs, sources);
  return {
    see: async (pixels, shape) =>
      wireOf(await vision.run(new Map([['pixel_values', new Tensor('float32', pixels, shape)]])), 'vision'),
    embedImages: async (seen) => wireOf(await image.run(new Map([['vision', seen]])), 'image_embeds'),
    embedTexts: async (words) => wireOf(await text.run(wordWires(words, 0)), 'text_embeds'),
    match: async (seen, words) =>
      wireOf(await match.run(wordWires(words, config.numQueryTokens).set('vision', seen)), 'match_logits'),
    ...runners,
  };
}
