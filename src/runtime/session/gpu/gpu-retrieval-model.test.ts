/** Comparing pictures with texts on the CPU as devices: the scores and vectors of transformers, wherever weights are. */
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { GOLDENS } from '../../../../test/golden/golden.js';
import { hostPlaces, type HostDevices } from '../../../../test/golden/open-on-host.js';
import { expectRecordedScores } from '../../../../test/golden/recorded-scores.js';
import { openCheckpoint } from '../../../loader/index.js';
import { parseRetrievalConfig } from '../../../model/blip2-config.js';
import { blip2Blocks } from '../../../model/blocks.js';
import { pictureGrid } from '../../graph/picture-grid.js';
import { WeightFiles } from './weights/weight-files.js';
import { openGpuRetrieval } from './gpu-retrieval-model.js';

const folder = join(GOLDENS, 'tiny-retrieval');
const checkpoint = await openCheckpoint(folder);
const config = parseRetrievalConfig(checkpoint.config);
const blocks = blip2Blocks(config).map(({ name }) => name);
const CASES: readonly [string, (block: string) => boolean, HostDevices][] = [
  ['resident', () => true, {}],
  ['streamed', () => false, {}],
  [
    'over two devices in turns',
    (block) => !block.includes('layers.1'),
    { deviceOf: (block) => blocks.indexOf(block) % 2 },
  ],
];

describe('tiny-retrieval on a device', () => {
  it.each(CASES)('gives the recorded scores of a padded batch, %s', async (_, isResident, devices) => {
    await using model = await openGpuRetrieval({
      config,
      tensors: checkpoint.tensors,
      files: await WeightFiles.open(checkpoint.tensors.values()),
      picture: await pictureGrid(config.vision, undefined, () => Promise.reject(new Error('no other size'))),
      placeOf: hostPlaces(isResident, devices),
    });
    await expectRecordedScores(model);
  });
});
