/** Language models of every family on a WebGPU adapter. Skipped where none answers. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { generate } from '../../src/runtime/generation/generate.js';
import { openCaptionModel } from '../../src/runtime/session/open-caption-model.js';
import { webgpuAnswer } from '../../src/runtime/device/webgpu-provider.js';
import { floats, GOLDENS, readRecording, tensorOf, wordsOf } from '../golden/golden.js';
import { recordedGeneration } from '../golden/recorded-generation.js';

const answer = await webgpuAnswer();
if (!answer.works) console.warn(`WebGPU is not tested here: ${answer.reason}`);

describe.skipIf(!answer.works)('families on WebGPU', () => {
  it.each(['tiny-opt', 'tiny-flan-t5', 'tiny-instructblip-llama'])('%s answers as transformers', async (name) => {
    const checkpoint = await openCheckpoint(join(GOLDENS, name));
    const config = parseBlip2Config(checkpoint.config);
    const recording = await readRecording(name, 'batch');
    const { prompt, request, settings } = recordedGeneration(config, recording);
    const pixels = tensorOf(recording.tensors, 'pixel_values');
    await using model = await openCaptionModel(config, checkpoint, {
      provider: 'webgpu',
      deviceMap: new Map([['', 0]]),
    });
    const prefix = await model.encodeImages(floats(pixels), pixels.dims, wordsOf(recording));
    for (const { options, ids } of settings.slice(0, 1)) {
      const sequences = await generate(model.tokens({ ...prompt, prefix }), request, options);
      expect(sequences.map(([first]) => first?.ids)).toEqual(ids);
    }
  });
});
