/** Plans whose pictures are encoded some at a time, at full size. */
import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import { KNOWN_GPUS, parsePlan, planDeviceMap, UNKNOWN_HOST, type PlanOptions, type Workload } from '../index.js';

const GIB = 2 ** 30;
const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
const h200 = KNOWN_GPUS.get('H200');
if (preset === undefined || h200 === undefined) throw new Error('no opt-2.7b or no H200');
const { config } = preset;
const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F16', ownHead: false });

function planFor(gib: number, workload: Partial<Workload>, options: Partial<PlanOptions> = {}) {
  const budgets = { gpus: new Map([[0, gib * GIB]]), ramBytes: null, diskBytes: 0 };
  const machine = { gpus: [h200 ?? never()], host: UNKNOWN_HOST };
  const result = planDeviceMap(tensors, { config, budgets, machine, countContext: true, workload, ...options });
  if (result.status !== 'fits') throw new Error('does not fit');
  return result.plan;
}

function never(): never {
  throw new Error('no H200');
}

describe('plans for pictures encoded some at a time', () => {
  it.each([2, 4, 6, 16])('are the same to the byte for one picture in %i GiB', (gib) => {
    expect(JSON.stringify(planFor(gib, { encoded: 8 }))).toBe(JSON.stringify(planFor(gib, {})));
    expect(Object.keys(planFor(gib, { encoded: 8 }).workload)).not.toContain('encoded');
  });

  it('have no cliff where the activations of all would leave no room for the language model', () => {
    const together = planFor(2.5, { batch: 64 });
    const apart = planFor(2.5, { batch: 64, encoded: 8 });
    expect(together.placements.filter(({ execution }) => execution === 'host').length).toBeGreaterThan(20);
    expect(apart.placements.filter(({ execution }) => execution === 'host')).toEqual([]);
    expect(apart.cost.latencyMs).toBeLessThan(together.cost.latencyMs / 10);
  });

  it('stream a tower once for a sweep', () => {
    const imageBytes = ({ placements }: ReturnType<typeof planFor>) =>
      placements.reduce(
        (sum, { phase, execution, weightBytes }) =>
          sum + (phase === 'image' && execution === 'streamed' ? weightBytes : 0),
        0,
      );
    for (const [batch, sweeps] of [
      [64, 1],
      [128, 2],
    ] as const) {
      const plan = planFor(5, { batch, encoded: 4 });
      const { streamedBytesPerCall, streamedBytesPerToken } = plan.cost;
      expect(imageBytes(plan)).toBeGreaterThan(GIB);
      expect(streamedBytesPerToken).toBeGreaterThan(0);
      // Once for the prompt and once for each of 19 tokens, and at most two rows of tables for each token.
      const rows = streamedBytesPerCall - sweeps * imageBytes(plan) - 20 * streamedBytesPerToken;
      expect(rows).toBeGreaterThanOrEqual(0);
      expect(rows).toBeLessThan(batch * (33 + 19) * 2 * 2 * 2560);
    }
  });

  it.each([2, 4, 6])('keep to %i GiB, and add up', (gib) => {
    for (const encoded of [1, 4, 16]) {
      const plan = planFor(gib, { batch: 16, encoded }, { allowQuant: gib < 6 ? ['int4'] : [] });
      const gpu = plan.devices.find(({ id }) => id === 0);
      if (gpu === undefined) throw new Error('no GPU');
      const { id: _id, name: _name, budgetBytes, ...parts } = gpu;
      expect(Object.values(parts).reduce<number>((sum, part) => sum + (part ?? 0), 0)).toBe(budgetBytes);
      expect(gpu.freeBytes).toBeGreaterThanOrEqual(0);
    }
  });

  it('are read back, as are older ones that say nothing of it', () => {
    const plan = planFor(6, { batch: 16, encoded: 4 });
    expect(plan.workload).toMatchObject({ batch: 16, encoded: 4 });
    expect(parsePlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
    const { encoded: _, ...older } = plan.workload;
    expect(parsePlan({ ...plan, workload: older }).workload).toEqual(older);
    expect(() => parsePlan({ ...plan, workload: { ...older, encoded: 0 } })).toThrow(
      expect.objectContaining({ code: 'PLAN_INVALID' }),
    );
  });
});
