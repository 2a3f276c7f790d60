/** The batch with the most pictures per second, against every other, at full size. */
import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import { highsSolver } from '../../highs/index.js';
import { KNOWN_GPUS, parsePlan, planDeviceMap, UNKNOWN_HOST, type PlanDocument, type PlanOptions } from '../index.js';
import { autoBatches, planForBatches } from './plan-for-batches.js';

const GIB = 2 ** 30;
const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
if (preset === undefined) throw new Error('no opt-2.7b');
const { config } = preset;
const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F16', ownHead: false });

function asked(card: string, gib: readonly number[], options: Partial<PlanOptions> = {}): PlanOptions {
  const gpu = KNOWN_GPUS.get(card);
  if (gpu === undefined) throw new Error(card);
  const gpus = new Map(gib.map((size, id) => [id, size * GIB]));
  const budgets = { gpus, ramBytes: null, diskBytes: 0 };
  return { config, budgets, machine: { gpus: [gpu], host: UNKNOWN_HOST }, countContext: true, ...options };
}

function best(options: PlanOptions, batches?: readonly number[]): PlanDocument {
  const result = planForBatches(tensors, options, batches);
  if (result.status !== 'fits') throw new Error('does not fit');
  return result.plan;
}

const picturesPerSecond = ({ workload, cost }: PlanDocument) => (1000 * workload.batch) / cost.latencyMs;
/** Proofs are to a billionth, times to a microsecond. */
const NEARLY = 1 + 1e-5;

/** Every plan that there is to choose from. */
function everyPlan(options: PlanOptions, batches: readonly number[]): PlanDocument[] {
  return batches.flatMap((batch) =>
    [1, 2, 4, 8, 16, 32, 64].flatMap((encoded) => {
      if (encoded > batch) return [];
      const floats = { ...options.workload, batch, encoded };
      const isOpen = batch > 1 && (options.allowQuant ?? []).length > 0;
      return [floats, ...(isOpen ? [{ ...floats, caches: 'int8' } as const] : [])].flatMap((workload) => {
        const result = planDeviceMap(tensors, { ...options, workload });
        return result.status === 'fits' ? [result.plan] : [];
      });
    }),
  );
}

describe('the plan for the most pictures per second', () => {
  it.each([
    ['H200', 6, []],
    ['H200', 4, ['int8']],
    ['RTX 3060', 6, []],
  ] as const)('is the best of all on an %s of %i GiB', (card, gib, allowQuant) => {
    const batches = [1, 8, 16, 64];
    const options = asked(card, [gib], { allowQuant });
    const chosen = best(options, batches);
    const all = everyPlan(options, batches);
    expect(all).toHaveLength(allowQuant.length === 0 ? 1 + 4 + 5 + 7 : 1 + 2 * (4 + 5 + 7));
    // Prices of accuracy, which count as time, are no part of the latency.
    const margin = allowQuant.length === 0 ? NEARLY : 1.02 ** 2;
    expect(picturesPerSecond(chosen) * margin).toBeGreaterThanOrEqual(Math.max(...all.map(picturesPerSecond)));
    expect(all.find(({ workload }) => JSON.stringify(workload) === JSON.stringify(chosen.workload))).toEqual(chosen);
  });

  it.each(['H200', 'RTX 3060'])('gains with memory, and beats one picture at a time, on an %s', (card) => {
    const rates = [2, 6, 24].map((gib) => {
      const options = asked(card, [gib]);
      const plan = best(options);
      const one = planDeviceMap(tensors, options);
      if (one.status !== 'fits') throw new Error('one picture does not fit');
      expect(picturesPerSecond(plan) * NEARLY).toBeGreaterThanOrEqual(picturesPerSecond(one.plan));
      const gpu = plan.devices.find(({ id }) => id === 0);
      expect(gpu?.budgetBytes).toBe(gib * GIB);
      expect(gpu?.freeBytes).toBeGreaterThanOrEqual(0);
      return picturesPerSecond(plan);
    });
    for (const [i, rate] of rates.slice(1).entries()) expect(rate * NEARLY).toBeGreaterThanOrEqual(rates[i] ?? 0);
    expect((rates.at(-1) ?? 0) / (rates[0] ?? 1)).toBeGreaterThan(3);
  });

  it('keeps caches as integers where weights may be, on cards that run kernels of our own, for half of their memory', () => {
    const plan = best(asked('H200', [2], { allowQuant: ['int4'] }), [48]);
    expect(plan.workload.caches).toBe('int8');
    const options = asked('H200', [2], { allowQuant: ['int4'] });
    const { caches: _, ...workload } = plan.workload;
    const floats = planDeviceMap(tensors, { ...options, workload });
    if (floats.status !== 'fits') throw new Error('does not fit');
    const cacheBytes = ({ devices }: PlanDocument) => devices.find(({ id }) => id === 0)?.cacheBytes ?? NaN;
    // Of 80 numbers of a head each has a byte, and all together two for their scale.
    expect(cacheBytes(plan) * 160).toBe(cacheBytes(floats.plan) * 82);
    expect(plan.cost.latencyMs * 1.02).toBeLessThan(floats.plan.cost.latencyMs);
    expect(parsePlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan);

    expect(best(asked('H200', [2]), [48]).workload.caches).toBeUndefined();
    // Its compute capability is 7.5.
    expect(best(asked('T4', [2], { allowQuant: ['int4'] }), [48]).workload.caches).toBeUndefined();
    const webgpu = best(asked('H200', [3], { allowQuant: ['int4'], provider: 'webgpu' }), [8]);
    expect(webgpu.workload.caches).toBeUndefined();
    const floatsAsked = asked('H200', [2], { allowQuant: ['int4'], workload: { caches: 'float' } });
    expect(best(floatsAsked, [48]).workload.caches).toBe('float');
    // Nor does a caption alone gain anything by it.
    expect(best(asked('H200', [2], { allowQuant: ['int4'] }), [1]).workload.caches).toBeUndefined();
  });

  it('has the batch that it is given, with as many encoded together as is fastest', () => {
    const options = asked('H200', [4]);
    const plan = best(options, [64]);
    expect(plan.workload.batch).toBe(64);
    const { encoded = 64 } = plan.workload;
    for (const other of everyPlan(options, [64])) {
      expect(plan.cost.latencyMs).toBeLessThanOrEqual(other.cost.latencyMs * NEARLY);
    }
    expect(encoded).toBeLessThanOrEqual(16);
    // With all of them together most of the model would be the host's.
    expect(plan.placements.filter(({ execution }) => execution === 'host')).toEqual([]);
  });

  it('goes by the busiest of several devices where calls follow one another', async () => {
    const batches = [1, 8];
    const options = asked('H200', [3, 3], { objective: 'throughput', integerSolver: await highsSolver() });
    const rate = ({ workload, cost }: PlanDocument) => workload.batch / cost.busiestMs;
    const chosen = best(options, batches);
    expect(rate(chosen) * 1.001).toBeGreaterThanOrEqual(Math.max(...everyPlan(options, batches).map(rate)));
  });

  it('encodes all together for transformers', () => {
    const { workload } = best(asked('H200', [8], { engine: 'transformers' }));
    expect(workload.batch).toBeGreaterThan(1);
    expect(workload).not.toHaveProperty('encoded');
  });

  it('says what is missing where nothing fits', () => {
    const options = asked('H200', [0.125]);
    const budgets = { ...options.budgets, ramBytes: GIB };
    expect(planForBatches(tensors, { ...options, budgets })).toMatchObject({ status: 'infeasible', proven: true });
  });
});

describe('batches to choose from', () => {
  const onGpu = { gpus: new Map([[0, GIB]]) };
  const onCpu = { gpus: new Map<number, number>() };

  it('are fewer without a GPU, and no more than there are pictures', () => {
    const upTo256 = [1, 8, 12, 16, 20, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 112, 128, 192, 256];
    expect(autoBatches(onGpu)).toEqual([...upTo256, 384, 512]);
    expect(autoBatches(onGpu, 256)).toEqual(upTo256);
    expect(autoBatches(onGpu, 40)).toEqual([1, 8, 12, 16, 20, 24, 32, 40]);
    expect(autoBatches(onGpu, 1)).toEqual([1]);
    expect(autoBatches(onCpu)).toEqual([1, 2, 4, 8]);
    expect(autoBatches(onCpu, 3)).toEqual([1, 2, 3]);
  });
});
