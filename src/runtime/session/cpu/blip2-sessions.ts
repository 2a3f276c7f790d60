import { Tensor } from 'onnxruntime-node';
import type { Blip2Config } from '../../../model/blip2-config.js';
import { MOST_TOGETHER } from '../../../planner/profile/workload/encoding.js';
import { elementCount } from '../../../tensor/tensor-info.js';
import { imageProgram, promptProgram, tokenProgram } from '../../graph/blip2-programs.js';
import type { CaptionModel } from '../model/caption-model.js';
import { wireOf } from '../model/kv-cache.js';
import { decoderTokenSource } from './decoder-token-source.js';
import { microBatches, type PictureBatch } from '../model/micro-batches.js';
import type { ProgramRunner } from './program-runner.js';
import { startPrograms, type SessionSources } from './start-program.js';
import { t5TokenSource } from './t5-token-source.js';
import { wordWires } from '../model/word-wires.js';

/**
 * BLIP-2 as programs over sessions: pictures to rows for the language model, and rows with ids to logits.
 * @param encoded pictures that are encoded together
 * @throws Blip2Error `TENSOR_NOT_FOUND` or `TENSOR_SHAPE`; whatever ONNX Runtime says about a session.
 */
export async function blip2Sessions<Place>(
  sources: SessionSources<Place>,
  encoded = MOST_TOGETHER,
): Promise<CaptionModel> {
  const { config } = sources;
  const { text } = config;
  const [image, token] = [imageProgram(config), tokenProgram(config)];
  if (text.family === 't5') {
    const started = await startPrograms({ image, prompt: promptProgram(config), token }, sources);
    const encodeImages = imageEncoder(started.image, config, encoded);
    return { ...started, encodeImages, tokens: (prompt) => t5TokenSource(started.prompt, started.token, text, prompt) };
  }
  const started = await startPrograms({ image, token }, sources);
  const encodeImages = imageEncoder(started.image, config, encoded);
  return { ...started, encodeImages, tokens: (prompt) => decoderTokenSource(started.token, text, prompt) };
}

function imageEncoder(
  runner: ProgramRunner,
  { numQueryTokens, text }: Blip2Config,
  together: number,
): CaptionModel['encodeImages'] {
  const encode = async ({ pixels, shape, words }: PictureBatch): Promise<Tensor> => {
    const given = words === undefined ? new Map<string, Tensor>() : wordWires(words, numQueryTokens);
    if (!(pixels instanceof Float32Array)) throw new TypeError('the CPU reads float32 pixels');
    given.set('pixel_values', new Tensor('float32', pixels, shape));
    return wireOf(await runner.run(given), 'language_input');
  };
  return async (pixels, shape, words) => {
    const dims = [shape[0] ?? 0, numQueryTokens, text.hiddenSize];
    const rows = new Float32Array(elementCount(dims));
    let at = 0;
    for (const batch of microBatches({ pixels, shape, words }, together)) {
      const { data } = await encode(batch);
      rows.set(data as Float32Array, at);
      at += data.length;
    }
    return new Tensor('float32', rows, dims);
  };
}
