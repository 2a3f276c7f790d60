/** Every family on the CPU as a device: rows for the language model and ids equal to transformers', wherever weights are. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
import { recordedGeneration } from '../../../../test/golden/recorded-generation.js';
import { openCheckpoint } from '../../../loader/index.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { generate } from '../../generation/generate.js';
import { hostShortlists } from '../../../../test/golden/host-shortlists.js';
import { openOnHost } from '../../../../test/golden/open-on-host.js';

const TOLERANCE = 1e-4;
const PLACEMENTS: readonly [string, (block: string) => boolean][] = [
  ['resident', () => true],
  ['streamed', () => false],
];

describe.each(CHECKPOINTS)('%s on a device', (name) => {
  it.each([...PLACEMENTS, ['that lists its greatest logits', () => true] as const])(
    'answers as transformers, %s',
    async (placement, isResident) => {
      const lists = placement.startsWith('that lists') ? hostShortlists(24) : null;
      const checkpoint = await openCheckpoint(join(GOLDENS, name));
      const config = parseBlip2Config(checkpoint.config);
      await using model = await openOnHost(config, checkpoint.tensors, isResident, {
        device: () => (lists === null ? {} : { shortlists: lists }),
      });
      for (const batch of BATCHES) {
        const recording = await readRecording(name, batch);
        const { prompt, request, settings } = recordedGeneration(config, recording);
        const pixels = tensorOf(recording.tensors, 'pixel_values');
        const prefix = await model.encodeImages(floats(pixels), pixels.dims, wordsOf(recording));
        expect(maxDifference(floats(prefix), floats(prompt.prefix))).toBeLessThan(TOLERANCE);
        for (const { name: setting, options, ids } of settings) {
          const sequences = await generate(model.tokens({ ...prompt, prefix }), request, options);
          const found = sequences.map(([first]) => first?.ids);
          expect(found, `${batch} ${setting}`).toEqual(ids);
        }
      }
      if (lists !== null) expect(lists.count).toBeGreaterThan(0);
    },
  );
});
