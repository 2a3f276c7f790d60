/** A plan that fills its GPU, against other workloads. */
import { describe, expect, it } from 'vitest';
import { blip2Tensors } from '../../../model/blip2-tensors.js';
import { parseModelConfig } from '../../../model/blip2-config.js';
import { PRESETS } from '../../../model/presets.js';
import { planDeviceMap, type PlanDocument, type Workload } from '../../index.js';
import { lackingMemory } from './lacking-memory.js';

const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
if (preset === undefined) throw new Error('no opt-2.7b');
const { config } = preset;
const tensors = blip2Tensors(parseModelConfig(config), { dtype: 'F32', ownHead: preset.ownHead });
const model = { tensors, config, provider: 'cuda' } as const;

function planFor(gpuBytes: number, workload: Partial<Workload> = {}): PlanDocument {
  const budgets = { gpus: new Map([[0, gpuBytes]]), ramBytes: null, diskBytes: 0 };
  const result = planDeviceMap(tensors, { config, budgets, workload });
  if (result.status !== 'fits') throw new Error('does not fit');
  return result.plan;
}
const gpuOf = ({ devices }: PlanDocument) => devices.find(({ id }) => id === 0);

// Everything on the GPU, and not a byte to spare.
const roomy = planFor(2 ** 36);
const fullBytes = 2 ** 36 - (gpuOf(roomy)?.freeBytes ?? 0);
const full = planFor(fullBytes);

describe('memory that a plan lacks', () => {
  it('is none for what was planned, and for less', () => {
    expect(full.placements.every(({ execution }) => execution === 'resident')).toBe(true);
    expect(gpuOf(full)?.freeBytes).toBe(0);
    for (const change of [{}, { newTokens: 5 }, { promptTokens: 20 }, { pictureSize: { height: 112, width: 112 } }])
      expect(lackingMemory(full, model)({ ...full.workload, ...change })).toEqual(new Map());
  });

  it.each<Partial<Workload>>([
    { newTokens: 300 },
    { promptTokens: 60 },
    { batch: 4 },
    { beams: 5 },
    { batch: 8, beams: 5, newTokens: 100 },
    { pictureSize: { height: 448, width: 448 } },
  ])('is what the same placement of %j takes more', (change) => {
    const lacking = lackingMemory(full, model)({ ...full.workload, ...change });
    const larger = planFor(2 ** 36, change);
    expect(larger.placements.every(({ execution }) => execution === 'resident')).toBe(true);
    expect(lacking).toEqual(new Map([[0, 2 ** 36 - (gpuOf(larger)?.freeBytes ?? 0) - fullBytes]]));
    expect(lackingMemory(roomy, model)(larger.workload)).toEqual(new Map());
  });

  it('is a cache row of every layer for a token', () => {
    const lacking = lackingMemory(full, model)({ ...full.workload, newTokens: 1020 });
    // Keys and values of 32 layers, 2560 wide, in float16; lengths are rounded, and masks take bytes beside them.
    expect((lacking.get(0) ?? 0) / (1000 * 32 * 2 * 2560 * 2)).toBeCloseTo(1, 1);
  });

  it('is told of the device that is short, where a plan streams', () => {
    const split = planFor(4 * 2 ** 30);
    expect(new Set(split.placements.map(({ execution }) => execution)).size).toBeGreaterThan(1);
    const lacking = lackingMemory(split, model)({ ...split.workload, batch: 64 });
    expect([...lacking.keys()]).toEqual([0]);
  });
});
