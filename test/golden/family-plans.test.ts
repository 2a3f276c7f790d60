/** Every family is described as its files are, and can be planned, cut and run by the plan. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseModelConfig } from '../../src/model/blip2-config.js';
import { blip2Tensors } from '../../src/model/blip2-tensors.js';
import { blip2Blocks } from '../../src/model/blocks.js';
import { planDeviceMap, type Device } from '../../src/planner/index.js';
import { createCaptioner } from '../../src/runtime/captioner/captioner.js';
import { createMatcher } from '../../src/runtime/captioner/matcher.js';
import { CHECKPOINTS, DEMO, GOLDENS } from './golden.js';

const HEAD = 'language_model.lm_head.weight';
const PICTURE = join(DEMO, 'pictures/shape-00.png');

/** A plan that cuts: one part is pinned to the GPU, another to the CPU. */
async function planWithGpu(folder: string) {
  const checkpoint = await openCheckpoint(folder);
  const weights = [...checkpoint.tensors.values()].reduce((sum, { begin, end }) => sum + end - begin, 0);
  const gpus = new Map([[0, 16 * weights]]);
  const planned = planDeviceMap(checkpoint.tensors, {
    config: checkpoint.config,
    budgets: { gpus, ramBytes: null, diskBytes: 0 },
    dtype: 'float32',
    pins: new Map<string, Device>([
      ['qformer', 0],
      ['vision_model', 'cpu'],
    ]),
  });
  if (planned.status !== 'fits') throw new Error('a part does not fit where the whole would');
  expect(new Set(planned.map.values()).size).toBeGreaterThan(1);
  return { checkpoint, plan: planned.map };
}

describe.each([...CHECKPOINTS, 'tiny-opt-coco', 'tiny-retrieval'])('%s', (name) => {
  it('has the tensors that its config.json implies, in these shapes, each in one block', async () => {
    const { config: json, tensors } = await openCheckpoint(join(GOLDENS, name));
    const config = parseModelConfig(json);
    const expected = blip2Tensors(config, { dtype: 'F32', ownHead: tensors.has(HEAD) });
    const shapes = (some: ReadonlyMap<string, { readonly shape: readonly number[] }>) =>
      Object.fromEntries([...some].map(([tensor, { shape }]) => [tensor, shape]));
    expect(shapes(tensors)).toEqual(shapes(expected));
    const blocks = blip2Blocks(config).map((block) => block.name);
    for (const tensor of tensors.keys()) {
      expect(blocks.filter((block) => tensor === block || tensor.startsWith(`${block}.`))).toHaveLength(1);
    }
  });
});

describe('plans with the Q-Former on a GPU', () => {
  it.each(['tiny-instructblip-llama', 'tiny-instructblip-t5'])(
    '%s gives the same answer whole and cut',
    async (name) => {
      const { checkpoint, plan } = await planWithGpu(join(GOLDENS, name));
      const texts = [];
      for (const options of [{}, { plan, emulateGpu: true }]) {
        await using captioner = await createCaptioner(checkpoint, { ...options, threads: 1, inProcess: true });
        for await (const { answers } of captioner.caption(PICTURE, { prompt: 'what is it' }))
          texts.push(answers[0]?.ids);
      }
      expect(texts[1]).toEqual(texts[0]);
    },
  );

  it('tiny-retrieval gives the same match whole and cut', async () => {
    const { checkpoint, plan } = await planWithGpu(join(GOLDENS, 'tiny-retrieval'));
    const found = [];
    for (const options of [{}, { plan, emulateGpu: true }]) {
      await using matcher = await createMatcher(checkpoint, { ...options, threads: 1, inProcess: true });
      found.push((await matcher.match(PICTURE, ['what is it']))[0]?.probability ?? Number.NaN);
    }
    expect(found[1]).toBeCloseTo(found[0] ?? Number.NaN, 6);
  });
});
