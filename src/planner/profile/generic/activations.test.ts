import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isDtype } from '../../../tensor/dtype.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { preparePlan } from '../../plan/request/prepare-plan.js';
import type { ProfileBlock } from '../model-profile.js';

/** What transformers 5.24 allocates at most for a prompt, recorded by test/fixtures/planner/record_activations.py. */
const rows = z.array(
  z.object({
    family: z.string(),
    config: z.record(z.string(), z.unknown()),
    file: z.record(z.string(), z.tuple([z.string()]).rest(z.number())),
    promptTokens: z.number(),
    peakBytes: z.number(),
  }),
);
const recorded = z
  .object({ models: rows, pictures: rows, encoders: rows })
  .parse(
    JSON.parse(readFileSync(new URL('../../../../test/fixtures/planner/activations.json', import.meta.url), 'utf8')),
  );

const together = [...recorded.models, ...recorded.encoders];
const IN_PARTS = new Set(['nemotron_h', 'zamba', 'mimi', 'swin', 'swin v2', 'convnext', 'convnext v2', 'resnet']);

const models = await loadModelTable();

function blocksOf({ config, file, promptTokens }: z.infer<typeof rows>[number]): readonly ProfileBlock[] {
  const tensors = new Map(
    Object.entries(file).map(([name, [dtype, ...shape]]) => {
      if (!isDtype(dtype)) throw new Error(dtype);
      return [name, { dtype, shape }];
    }),
  );
  const budgets = { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 };
  const workload = { promptTokens, newTokens: 1 };
  return preparePlan(tensors, { config, models, engine: 'transformers', budgets, workload }).profile.blocks;
}

const activationBytes = (blocks: readonly ProfileBlock[]): number =>
  Math.max(...blocks.map((block) => block.activationElements * block.elementBytes));

describe('what a prompt takes beside weights', () => {
  // Attention that is written out is counted as one that keeps many scores; XGLM's keeps few. SAM's grow with the square of the picture, which
  // is a quarter of its own here.
  it.each(together.filter(({ family }) => !IN_PARTS.has(family)))(
    '$family: all but a sixteenth, and less than three times',
    (row) => {
      const blocks = blocksOf(row);
      const kept = blocks.reduce((sum, block) => sum + block.cacheElements * block.elementBytes, 0);
      const counted = (kept + activationBytes(blocks)) / row.peakBytes;
      expect(counted).toBeGreaterThan(15 / 16);
      expect(counted).toBeLessThan(row.family === 'sam' ? 4 : 3);
    },
  );
});

describe('what stages of a picture, chunks of a state and frames of sound take beside weights', () => {
  it.each(together.filter(({ family }) => IN_PARTS.has(family)))(
    '$family: a tenth less at most, and three tenths more',
    (row) => {
      const blocks = blocksOf(row);
      const kept = blocks.reduce((sum, block) => sum + block.cacheElements * block.elementBytes, 0);
      const counted = (kept + activationBytes(blocks)) / row.peakBytes;
      expect(counted).toBeGreaterThan(0.9);
      expect(counted).toBeLessThan(1.3);
    },
  );
});

describe('what a convolution takes beside weights', () => {
  it('follows from its channels, not from the sides of what slides over a picture', () => {
    const [inner, outer, tokens] = [64, 256, 100];
    const block = preparePlan(
      new Map([
        ['encoder.stages.0.layers.0.layer.0.convolution.weight', { dtype: 'F16', shape: [inner, outer, 3, 3] }],
        ['encoder.stages.0.layers.0.layer.1.convolution.weight', { dtype: 'F16', shape: [outer, inner, 3, 3] }],
      ]),
      {
        config: { architectures: ['ResNetModel'], model_type: 'resnet' },
        models,
        engine: 'transformers',
        budgets: { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 },
        workload: { promptTokens: tokens },
      },
    ).profile.blocks[0];
    expect(block?.activationElements).toBe(tokens * 4 * outer);
  });
});

describe('what a detector takes beside weights', () => {
  it('is of fewer patches in later stages of its backbone, and not in later layers of its decoder', () => {
    const square = { dtype: 'F16', shape: [64, 64] } as const;
    const names = [
      'model.backbone.conv_encoder.model.encoder.layers.2.blocks.0.output.dense',
      'model.decoder.layers.2.fc1',
    ];
    const { blocks } = preparePlan(new Map(names.map((name) => [`${name}.weight`, square])), {
      config: {
        architectures: ['GroundingDinoForObjectDetection'],
        model_type: 'grounding-dino',
        backbone_config: { model_type: 'swin', depths: [2, 2, 6, 2] },
      },
      models,
      engine: 'transformers',
      budgets: { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 },
      workload: { promptTokens: 1600 },
    }).profile;
    expect(blocks.map(({ activationElements }) => activationElements)).toEqual([100 * 4 * 64, 1600 * 4 * 64]);
  });
});

describe('what a tower takes beside weights', () => {
  it.each(recorded.pictures)('$family: all but a sixteenth, and less than twice', (row) => {
    const counted = activationBytes(blocksOf(row).filter(({ phase }) => phase === 'image')) / row.peakBytes;
    expect(counted).toBeGreaterThan(15 / 16);
    expect(counted).toBeLessThan(2);
  });
});
