/** Graphs as CUDA runs them without operators of ours, in float16, on the CPU, by one device and by several: what pictures become, beside transformers in float32. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
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
import { blip2Blocks } from '../../../model/blocks.js';
import type { Placement } from '../../../planner/plan/document/plan-document.js';
import { cudaStyle, gpuStyle } from '../../graph/gpu/gpu-style.js';
import { pictureGrid } from '../../graph/picture-grid.js';
import { computedDtypes } from './device/computed-dtypes.js';
import { openGpuRetrieval } from './gpu-retrieval-model.js';
import { WeightFiles } from './weights/weight-files.js';

/** Of values about 1 in size, of which a rounding takes up to half of a thousandth. */
const TOLERANCE = 0.01;

type Device = Placement['runsOn'];

/** Of two cards and the host. */
const device = (id: Device) =>
  id === 'cpu' ? { isHost: true, style: gpuStyle('F32') } : { isHost: false, style: cudaStyle(false) };

type Place = (block: string, index: number) => Device;

const PLACES: readonly (readonly [string, Place])[] = [
  ['by one card', () => 0],
  ['by two in turns', (_, index) => index % 2],
  ['by a card, but for the Q-Former', (block) => (block.startsWith('q') ? 'cpu' : 0)],
  ['by the host, but for the Q-Former', (block) => (block.startsWith('q') ? 0 : 'cpu')],
];

/** Some of what is on cards passes through. */
const isResident = (place: Device, block: string): boolean => place === 'cpu' || /[02]$/.test(block);

async function inHalves(name: string, place: Place) {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-halves-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const checkpoint = await openCheckpoint(join(GOLDENS, name));
  const config = parseModelConfig(checkpoint.config);
  const places = new Map(blip2Blocks(config).map((block, index) => [block.name, place(block.name, index)]));
  const deviceOf = (block: string): Device => places.get(block) ?? 0;
  const dtypes = computedDtypes(config, checkpoint.tensors, (block) => device(deviceOf(block)).style);
  const { tensors } = await materializeTensors(checkpoint, dtypes, folder);
  return { tensors, config: checkpoint.config, deviceOf };
}

function widened(halves: Uint16Array): Float32Array {
  const wide = new Float32Array(halves.length);
  const bytes = new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength);
  convertFloats(bytes, 'F16', new Uint8Array(wide.buffer), 'F32');
  return wide;
}

describe.each(PLACES)('computed %s', (_, place) => {
  it.each(CHECKPOINTS)('has the rows of %s for its language model', async (name) => {
    const { tensors, config: json, deviceOf } = await inHalves(name, place);
    const config = parseBlip2Config(json);
    for (const isKept of [() => true, (block: string) => isResident(deviceOf(block), block)]) {
      await using model = await openOnHost(config, tensors, isKept, { device, deviceOf });
      for (const batch of BATCHES) {
        const recording = await readRecording(name, batch);
        const { prompt } = recordedGeneration(config, recording);
        const pixels = tensorOf(recording.tensors, 'pixel_values');
        const { data } = await model.encodeImages(floats(pixels), pixels.dims, wordsOf(recording));
        if (!(data instanceof Uint16Array)) throw new TypeError('no halves');
        expect(maxDifference(widened(data), floats(prompt.prefix))).toBeLessThan(TOLERANCE);
      }
    }
  });

  it('compares pictures with texts', async () => {
    const { tensors, config: json, deviceOf } = await inHalves('tiny-retrieval', place);
    const config = parseRetrievalConfig(json);
    await using model = await openGpuRetrieval({
      config,
      tensors,
      files: await WeightFiles.open(tensors.values()),
      picture: await pictureGrid(config.vision, undefined, () => Promise.reject(new Error('no other size'))),
      placeOf: hostPlaces((block) => isResident(deviceOf(block), block), { device, deviceOf }),
    });
    await expectRecordedScores(model, TOLERANCE);
  });
});
