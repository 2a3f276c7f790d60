/** What profiles say that transformers does in a block, against counts from transformers itself. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openCheckpoint } from '../../../../loader/index.js';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import { blip2Profiler } from '../blip2-profile.js';
import type { ProfileBlock } from '../../model-profile.js';
import { parseWorkload } from '../../workload/workload.js';
import { BIASED_ATTENTION } from './torch-calls.js';

const FIXTURES = new URL('../../../../../test/fixtures/', import.meta.url);
const numbers = z.array(z.number());
const recorded = z
  .object({
    tokens: z.number(),
    checkpoints: z.record(
      z.string(),
      z.object({
        /** Per block, `[leaves, modules, launches]` of its first three runs. */
        blocks: z.record(z.string(), z.array(numbers)),
        /** Launches of the language model, over the prompt and over a token. */
        model: numbers,
        /** Launches between two runs of the language model. */
        loop: z.number(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('planner/work-counts.json', FIXTURES), 'utf8')));

async function profileOf(name: string) {
  const { config, tensors } = await openCheckpoint(new URL(`goldens/${name}`, FIXTURES).pathname);
  const parsed = parseBlip2Config(config);
  // The prompt of the recording: the queries and one token, and as many new tokens.
  const workload = parseWorkload({ newTokens: recorded.tokens }, parsed.numQueryTokens);
  return blip2Profiler(tensors, parsed, { dtype: 'float16', engine: 'transformers' })(workload);
}

/** `[leaves, modules, launches]` of the block in a phase, as on the CPU. */
function countsIn(block: ProfileBlock, phase: string): readonly number[] {
  const run = block.runs.find((each) => each.phase === phase);
  if (run === undefined) return [0, 0, 0];
  const biased = block.kind === 't5-encoder-layer' || (block.kind === 't5-decoder-layer' && phase === 'token');
  return [run.leaves, run.torch.modules, run.torch.launches - (biased ? BIASED_ATTENTION : 0)];
}

const sum = (a: readonly number[], b: readonly number[]) => a.map((value, i) => value + (b[i] ?? 0));

describe.each(Object.entries(recorded.checkpoints))('%s', async (name, { blocks, model, loop }) => {
  const profile = await profileOf(name);
  const layers = profile.blocks.filter((block) => /layer\.|layers\.|block\./.test(block.name));

  it.each(layers.map((block) => [block.name, block] as const))('%s', (_, block) => {
    const [first, second] = blocks[block.name] ?? [];
    if (block.phase === 'token') {
      expect(countsIn(block, 'token')).toEqual(second);
      // T5 makes the keys and values of the picture in the decoder's first run.
      const prompt = countsIn(block, 'prompt');
      expect(block.kind === 't5-decoder-layer' ? sum(prompt, second ?? []) : prompt).toEqual(first);
    } else expect(countsIn(block, block.phase)).toEqual(first);
  });

  it('has the right counts in the other blocks, and in sum', () => {
    const counted = new Set(layers.map((block) => block.name));
    for (const block of profile.blocks) {
      const [first] = blocks[block.name] ?? [];
      // Root parameters and tables have no run of their own; the head and the tables carry what surrounds the model.
      if (first === undefined || counted.has(block.name) || block.name.endsWith('tokens') || block.kind === 'head')
        continue;
      if (block.kind === 't5-tokens') continue;
      const runs = blocks[block.name]?.length ?? 0;
      const times = block.phase === 'image' ? runs : 1;
      const [leaves = 0, ...calls] = first;
      expect(countsIn(block, block.runs[0]?.phase ?? 'image'), block.name).toEqual([
        leaves,
        ...calls.map((n) => n * times),
      ]);
    }
    const perToken = profile.blocks.reduce((total, block) => total + (countsIn(block, 'token')[2] ?? 0), 0);
    expect(perToken).toBe((model[1] ?? 0) + loop);
  });
});
