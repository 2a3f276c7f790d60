import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, type Checkpoint } from '../../loader/index.js';
import type { PlanDocument } from '../../planner/plan/document/plan-document.js';
import { createCaptioner } from '../captioner/captioner.js';
import type { CaptionerOptions, CaptionOptions } from '../engine/captioner-options.js';
import type { EngineOptions, Progress } from '../device/device-options.js';
import { gpuProfileSchema } from '../../planner/price/device-profile.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../../planner/price/known-devices.js';
import { placedDevices } from './placement.js';

const DEMO = join(import.meta.dirname, '../../../models/demo');
const PICTURE = join(DEMO, 'pictures/shape-00.png');
const MIB = 2 ** 20;
const budgets = (gpu: number) => ({ gpus: new Map([[0, gpu]]), ramBytes: null, diskBytes: 0 });

let checkpoint: Checkpoint;
let folder: string;
beforeAll(async () => {
  checkpoint = await openCheckpoint(DEMO);
  folder = await mkdtemp(join(tmpdir(), 'blip2-placement-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** The plan that budgets lead to. */
async function planFor(gpu: number, planning: NonNullable<CaptionerOptions['planning']> = {}): Promise<PlanDocument> {
  const seen: Progress[] = [];
  const onProgress = (progress: Progress) => void seen.push(progress);
  await placedDevices(checkpoint, { budgets: budgets(gpu), planning, emulateGpu: true, onProgress });
  const [planned] = seen;
  if (planned?.stage !== 'planned') throw new Error('no plan was reported');
  return planned.plan;
}

describe('placement', () => {
  it('plans for budgets, tells the plan, quantises where it may, and reports every stage in order', async () => {
    const stages: Progress['stage'][] = [];
    await using captioner = await createCaptioner(checkpoint, {
      budgets: { gpus: new Map(), ramBytes: null, diskBytes: 0 },
      planning: { allowQuant: ['int8'], workload: { batch: 2 } },
      cacheFolder: folder,
      inProcess: true,
      threads: 1,
      onProgress: ({ stage }) => void stages.push(stage),
    });
    for await (const { text } of captioner.caption([PICTURE, PICTURE], { batchSize: 2 })) {
      expect(text).toBe('a small red ring above a small red circle on a white background');
    }
    expect([...new Set(stages)]).toEqual(['planned', 'converting', 'captioning']);
  });

  it('takes the plan that budgets lead to, whole or as its map, for the same places', async () => {
    const [card, host] = [gpuProfileSchema.parse(KNOWN_GPUS.get('T4')), { ...UNKNOWN_HOST, errorFactor: 1 }];
    const rates = { ...card.engines['blip2-run'], streamBytesPerSecond: 1e9 };
    const slow = { ...card, engines: { ...card.engines, 'blip2-run': rates } };
    const machine = { gpus: [slow], host };
    const plan = await planFor(4 * MIB, { allowQuant: ['int4'], workload: { newTokens: 8 }, machine });
    expect(plan.workload.newTokens).toBe(8);
    const given = await placedDevices(checkpoint, { plan });
    expect(given.deviceMap).toEqual(new Map(Object.entries(plan.device_map)));
    expect(given.quant).toEqual(new Map(Object.entries(plan.quant)));
    expect(given.hostBlocks?.size).toBeGreaterThan(0);
    const map = new Map(Object.entries(plan.device_map));
    expect(await placedDevices(checkpoint, { plan: map })).toEqual({ deviceMap: map });
  });

  it('plans for the pictures that are asked for', async () => {
    const pictureSize = { height: 112, width: 84 };
    const seen: Progress[] = [];
    const asked = { budgets: budgets(4 * MIB), pictureSize, emulateGpu: true };
    await placedDevices(checkpoint, { ...asked, onProgress: (progress) => void seen.push(progress) });
    expect(seen).toMatchObject([{ stage: 'planned', plan: { workload: { pictureSize } } }]);
    expect((await planFor(4 * MIB)).workload.pictureSize).toBeNull();
  });

  it('takes a plan that names no checkpoint where every block has the bytes that it counts, and no other', async () => {
    const plan = await planFor(4 * MIB, { allowQuant: ['int8'] });
    const nameless = { ...plan, checkpoint: { ...plan.checkpoint, fingerprint: null } };
    expect((await placedDevices(checkpoint, { plan: nameless })).quant?.size).toBe(Object.keys(plan.quant).length);
    const refusal = (changed: PlanDocument) =>
      placedDevices(checkpoint, { plan: changed }).then(
        () => null,
        (error: unknown) => (error instanceof Error ? error.message : error),
      );
    const [first, ...others] = nameless.placements;
    if (first === undefined) throw new Error('an empty plan');
    expect(await refusal({ ...nameless, placements: others })).toContain(
      `another model than ${DEMO}: it has no vision_model`,
    );
    const heavier = { ...first, weightBytes: first.weightBytes + 1000 };
    expect(await refusal({ ...nameless, placements: [heavier, ...others] })).toMatch(
      /embeddings has [\d,]+ bytes there and/,
    );
    const further = { ...first, block: 'language_model.decoder.block.99' };
    expect(await refusal({ ...nameless, placements: [first, ...others, further] })).toContain('this checkpoint has no');
  });

  it('refuses work that the budgets of a plan have no room for, and does less', async () => {
    const wide = await planFor(64 * MIB);
    const gpu = wide.devices.find(({ id }) => id === 0);
    const plan = await planFor(64 * MIB - (gpu?.freeBytes ?? 0));
    const caption = async (given: PlanDocument, options: CaptionOptions, devices: EngineOptions = {}) => {
      await using captioner = await createCaptioner(checkpoint, {
        ...devices,
        plan: given,
        emulateGpu: true,
        cacheFolder: folder,
        inProcess: true,
        threads: 1,
      });
      const texts = [];
      for await (const { text } of captioner.caption([PICTURE, PICTURE], options)) texts.push(text);
      return texts;
    };
    expect(await caption(plan, { maxNewTokens: 20 })).toHaveLength(2);
    expect(await caption(wide, { maxNewTokens: 40, batchSize: 2, prompt: 'a small red' })).toHaveLength(2);
    const error = await caption(plan, { maxNewTokens: 40, batchSize: 2 }).catch((refusal: unknown) => refusal);
    expect(error).toMatchObject({
      code: 'PLAN_MISMATCH',
      message: expect.stringMatching(
        /made for batchSize 1, maxNewTokens 20; batchSize 2, maxNewTokens 40 would take .+ more than the .+ of GPU 0$/,
      ),
      hint: 'Plan again for batchSize 2, maxNewTokens 40, or ask for less.',
      details: { planned: { batch: 1, newTokens: 20 }, asked: { batch: 2, newTokens: 40 } },
    });
    await expect(caption(plan, { numBeams: 5 })).rejects.toMatchObject({ code: 'PLAN_MISMATCH' });
    await expect(caption(plan, { question: 'how big is the ring?' })).rejects.toThrow(/promptTokens \d+;/);
    const pictureSize = { width: 112, height: 224 };
    await expect(caption(plan, {}, { pictureSize })).rejects.toThrow(/pictureSize 112x224 would take/);
  });

  it('plans for the most pictures per second where that is asked for', async () => {
    const auto = await planFor(16 * MIB, { batches: 'auto' });
    expect(auto.workload.batch).toBeGreaterThan(1);
    const [one, three] = [await planFor(16 * MIB), await planFor(16 * MIB, { batches: [3] })];
    expect([one.workload.batch, three.workload.batch]).toEqual([1, 3]);
    const rate = ({ workload, cost }: PlanDocument) => workload.batch / cost.latencyMs;
    expect(rate(auto)).toBeGreaterThan(rate(three));
    expect(rate(three)).toBeGreaterThan(rate(one));
  });

  it('takes the batch of a plan for many pictures, encodes as it says, and refuses more', async () => {
    const workload = { batch: 2, encoded: 1 };
    const wide = await planFor(64 * MIB, { workload });
    const gpu = wide.devices.find(({ id }) => id === 0);
    const plan = await planFor(64 * MIB - (gpu?.freeBytes ?? 0), { workload });
    expect(plan.workload).toMatchObject(workload);
    const devices = { plan, emulateGpu: true, cacheFolder: folder, inProcess: true, threads: 1 };
    await using captioner = await createCaptioner(checkpoint, devices);
    const grew: number[] = [];
    const onToken = ({ index }: { index: number }): void => void grew.push(index);
    let captioned = 0;
    for await (const outcome of captioner.captionAll(
      Array.from({ length: 5 }, () => PICTURE),
      { onToken },
    )) {
      if (outcome.status === 'captioned') captioned += 1;
    }
    expect(captioned).toBe(5);
    // Two at a time grow by a token each, and all that are the same end together.
    const pairs = grew.map((index) => Math.floor(index / 2));
    expect(pairs).toEqual(pairs.toSorted((a, b) => a - b));
    expect(grew.slice(0, 4)).toEqual([0, 1, 0, 1]);
    const more = captioner.captionAll([PICTURE], { batchSize: 3 });
    await expect(more.next()).rejects.toMatchObject({
      code: 'PLAN_MISMATCH',
      details: { planned: { batch: 2, encoded: 1 }, asked: { batch: 3 } },
    });
  });

  it.each([0, 1.5, availableParallelism() + 1, 99_999])('refuses %d threads', async (threads) => {
    const refusal = await placedDevices(checkpoint, { threads }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining(`threads is ${threads};`),
    });
    expect(await placedDevices(checkpoint, { threads: availableParallelism() })).toBeDefined();
  });

  it('refuses a plan of another checkpoint, budgets that nothing fits, and both at once', async () => {
    const plan = await planFor(4 * MIB);
    const other = await openCheckpoint(join(DEMO, '../../test/fixtures/goldens/tiny-opt'));
    await expect(placedDevices(other, { plan })).rejects.toMatchObject({ code: 'PLAN_MISMATCH' });
    const lacking = { ...checkpoint, tensors: new Map([...checkpoint.tensors].slice(1)) };
    await expect(placedDevices(lacking, { plan })).rejects.toMatchObject({ code: 'TENSOR_NOT_FOUND' });
    const tight = { gpus: new Map([[0, MIB]]), ramBytes: MIB, diskBytes: 0 };
    await expect(placedDevices(checkpoint, { budgets: tight })).rejects.toMatchObject({
      code: 'DOES_NOT_FIT',
      details: { status: 'infeasible' },
    });
    const both = { plan, budgets: tight } as unknown as CaptionerOptions;
    await expect(placedDevices(checkpoint, both)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});
