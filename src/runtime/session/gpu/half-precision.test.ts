/** Graphs as CUDA runs them without operators of ours, in float16, on the CPU: what pictures become, beside transformers in float32. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import {
  BATCHES,
  CHECKPOINTS,
  floats,
  GOLDENS,
  maxDifference,
  readRecording,
  tensorOf,
  wordsOf,
} from '../../../../test/golden/golden.js';
import { hostPlaces, openOnHost } from '../../../../test/golden/open-on-host.js';
import { recordedGeneration } from '../../../../test/golden/recorded-generation.js';
import { expectRecordedScores } from '../../../../test/golden/recorded-scores.js';
import { convertFloats } from '../../../loader/convert/convert-floats.js';
import { materializeTensors, openCheckpoint } from '../../../loader/index.js';
import { parseBlip2Config, parseModelConfig, parseRetrievalConfig } from '../../../model/blip2-config.js';
import { cudaStyle } from '../../graph/gpu/gpu-style.js';
import { pictureGrid } from '../../graph/picture-grid.js';
import { computedDtypes } from './device/computed-dtypes.js';
import { openGpuRetrieval } from './gpu-retrieval-model.js';
import { WeightFiles } from './weights/weight-files.js';

/** Of values about 1 in size, of which a rounding takes up to half of a thousandth. */
const TOLERANCE = 0.01;
const style = cudaStyle(false);

async function inHalves(name: string) {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-halves-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const checkpoint = await openCheckpoint(join(GOLDENS, name));
  const dtypes = computedDtypes(parseModelConfig(checkpoint.config), checkpoint.tensors, () => style);
  return { ...(await materializeTensors(checkpoint, dtypes, folder)), config: checkpoint.config };
}

function widened(halves: Uint16Array): Float32Array {
  const wide = new Float32Array(halves.length);
  const bytes = new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength);
  convertFloats(bytes, 'F16', new Uint8Array(wide.buffer), 'F32');
  return wide;
}

it.each(CHECKPOINTS)('has the rows of %s for its language model', async (name) => {
  const { tensors, config: json } = await inHalves(name);
  const config = parseBlip2Config(json);
  await using model = await openOnHost(config, tensors, () => true, { device: () => ({ style }) });
  for (const batch of BATCHES) {
    const recording = await readRecording(name, batch);
    const { prompt } = recordedGeneration(config, recording);
    const pixels = tensorOf(recording.tensors, 'pixel_values');
    const { data } = await model.encodeImages(floats(pixels), pixels.dims, wordsOf(recording));
    if (!(data instanceof Uint16Array)) throw new TypeError('no halves');
    expect(maxDifference(widened(data), floats(prompt.prefix))).toBeLessThan(TOLERANCE);
  }
});

it('compares pictures with texts', async () => {
  const { tensors, config: json } = await inHalves('tiny-retrieval');
  const config = parseRetrievalConfig(json);
  await using model = await openGpuRetrieval({
    config,
    tensors,
    files: await WeightFiles.open(tensors.values()),
    picture: await pictureGrid(config.vision, undefined, () => Promise.reject(new Error('no other size'))),
    placeOf: hostPlaces(() => true, { device: () => ({ style }) }),
  });
  await expectRecordedScores(model, TOLERANCE);
});
