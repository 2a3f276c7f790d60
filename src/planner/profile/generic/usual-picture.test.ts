import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isDtype } from '../../../tensor/dtype.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { preparePlan } from '../../plan/request/prepare-plan.js';

/** What transformers 5.24 has in memory at most, recorded by test/fixtures/planner/record_pictures.py. */
const recorded = z
  .array(
    z.object({
      name: z.string(),
      config: z.record(z.string(), z.unknown()),
      file: z.record(z.string(), z.tuple([z.string()]).rest(z.number())),
      size: z.tuple([z.number(), z.number()]).nullable(),
      peakBytes: z.number(),
      promptTokens: z.number().optional(),
    }),
  )
  .parse(JSON.parse(readFileSync(new URL('../../../../test/fixtures/planner/pictures.json', import.meta.url), 'utf8')));

const models = await loadModelTable();

function counted({ config, file, size, promptTokens }: (typeof recorded)[number], gpuBytes: number[] = []): number {
  const tensors = new Map(
    Object.entries(file).map(([name, [dtype, ...shape]]) => {
      if (!isDtype(dtype)) throw new Error(dtype);
      return [name, { dtype, shape }];
    }),
  );
  const budgets = { gpus: new Map(gpuBytes.entries()), ramBytes: null, diskBytes: 0 };
  const workload = {
    newTokens: 1,
    ...(size === null ? {} : { pictureSize: { height: size[0], width: size[1] } }),
    ...(promptTokens === undefined ? {} : { promptTokens }),
  };
  const { blocks } = preparePlan(tensors, { config, models, engine: 'transformers', budgets, workload }).profile;
  const kept = blocks.reduce((sum, block) => sum + block.cacheElements * block.elementBytes, 0);
  return kept + Math.max(...blocks.map((block) => block.activationElements * block.elementBytes));
}

function rowOf(name: string): (typeof recorded)[number] {
  const row = recorded.find((each) => each.name === name);
  if (row === undefined) throw new Error(name);
  return row;
}

describe('what a picture of the usual size takes beside weights, and logits of a whole prompt', () => {
  it.each(recorded)('$name: a tenth less at most, and 2.6 times as much', (row) => {
    const ratio = counted(row) / row.peakBytes;
    expect(ratio).toBeGreaterThan(0.9);
    expect(ratio).toBeLessThan(2.6);
  });
});

describe('classes of which too much is easily counted', () => {
  it.each([
    // One bias, with the mask in it twice, however many sequences have it.
    ['t5 that encodes', 1.4],
    ['t5 that encodes, padded', 1.1],
    // Keys and values of the language model, and not of the tower too.
    ['idefics 3 without a head', 1.4],
    // Logits once: nothing else as wide is made of them.
    ['bert with masks', 1.1],
    // Scores whose softmax has the model's dtype.
    ['gpt-oss', 1.2],
    // Tokens looked up in a table, and not multiplied with it.
    ['ctrl', 1.4],
    // What it draws, from the patches that its last stage has left.
    ['swin that draws', 1.2],
    // A quantiser that is there and not called.
    ['unispeech-sat with a quantiser', 1.8],
  ])('%s: %d times the peak at most', (name, most) => {
    const row = rowOf(name);
    expect(counted(row) / row.peakBytes).toBeLessThan(most);
  });
});

describe('what else is there while a layer runs', () => {
  it.each([
    // Of a layer that is narrow inside: what goes into it, and what the model began with.
    ['mobilebert, padded', 1.1],
    // Of layers that see a window in both directions: how far tokens are apart, as integers.
    ['modernbert over 2048 tokens', 1.1],
    // The mask of a window, and what attention in one operation makes of it.
    ['gemma 3 over 4096 tokens', 1.1],
    // What each layer is given beside the rows.
    ['gemma 4', 1.1],
    // Queries wider than all else, in float32.
    ['embedding gemma 2', 1.1],
    // Towers of convolutions beside a text: of one picture, and of the frames of a film.
    ['align', 1.1],
    ['tvp of 8 frames', 1.1],
    // Places of a picture for every layer.
    ['yolos-tiny', 1.1],
    // What all layers made.
    ['bridgetower', 1.1],
    // Keys and values of a projection that is split as it is loaded.
    ['gradium phonon', 1.2],
  ])('%s: all of the peak, and %d times at most', (name, most) => {
    const row = rowOf(name);
    const ratio = counted(row) / row.peakBytes;
    expect(ratio).toBeGreaterThan(0.98);
    expect(ratio).toBeLessThan(most);
  });
});

describe('a decoder that runs once', () => {
  it('keeps no keys and values where config.json has use_cache as false', () => {
    const row = rowOf('llama that classifies');
    // Two of 512 elements for each of 512 tokens and 16 layers, and one token to come.
    const caches = 2 * 512 * 513 * 16 * 2;
    expect(counted(row) - counted({ ...row, config: { ...row.config, use_cache: false } })).toBe(caches);
  });

  it('keeps some where config.json has it as true and the class by itself as false', () => {
    const row = rowOf('mpt that classifies');
    // Two of 256 elements for each of 512 tokens and 16 layers, and one token to come.
    const caches = 2 * 256 * 513 * 16 * 2;
    expect(counted(row) - counted({ ...row, config: { ...row.config, use_cache: false } })).toBe(caches);
  });
});

describe('values that are narrower than keys', () => {
  it('have scores of all tokens in memory on a CPU, and not on a GPU', () => {
    const row = rowOf('deepseek v3 on a cpu');
    const scores = 8 * 512 ** 2 * 4;
    expect(counted(row) - counted(row, [1e9])).toBeGreaterThan(scores);
  });
});
