import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import { tensorBytes } from '../../tensor/tensor-info.js';
import { deviceOf } from '../map/device-map.js';
import { placementTip } from '../report/placement-tip.js';
import { diffPlans } from './comparison/diff-plans.js';
import { explainMap } from './comparison/explain-map.js';
import type { Placement } from './document/plan-document.js';
import { planDeviceMap } from './plan-device-map.js';

const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
if (preset === undefined) throw new Error('preset');
const { config } = preset;
const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F16', ownHead: false });
const options = {
  config,
  engine: 'transformers',
  budgets: { gpus: new Map([[0, 4 * 2 ** 30]]), ramBytes: null, diskBytes: 0 },
} as const;
const result = planDeviceMap(tensors, options);
if (result.status !== 'fits') throw new Error('RAM has no limit');
const { plan, map } = result;
const split = plan.placements.filter(({ keptBytes }) => keptBytes !== undefined);

describe('what a layer in parts keeps on its card', () => {
  it('is what the map leaves of it there, and adds up to the memory of the card', () => {
    expect(split.length).toBeGreaterThan(0);
    for (const { block, keptBytes, weightBytes } of split) {
      const own = [...tensors].filter(([name]) => name.startsWith(`${block}.`));
      const there = own.filter(([name]) => deviceOf(map, name) === 0);
      expect(there.length).toBeGreaterThan(0);
      expect(keptBytes).toBe(there.reduce((sum, [, tensor]) => sum + tensorBytes(tensor), 0));
      expect(weightBytes).toBe(own.reduce((sum, [, tensor]) => sum + tensorBytes(tensor), 0));
    }
    const onGpu = (sum: number, { weightsOn, weightBytes, keptBytes = 0 }: Placement) =>
      sum + (weightsOn === 0 ? weightBytes : keptBytes);
    expect(plan.placements.reduce(onGpu, 0)).toBe(plan.devices.find(({ id }) => id === 0)?.weightBytes);
  });

  it('is said, and the same of the map alone', () => {
    const [first] = split;
    if (first === undefined) throw new Error('split');
    expect(placementTip(first, null)).toMatch(/: streamed, [\d.]+ MiB, [\d.]+ [KM]iB kept, /);
    expect(plan.assumptions.some((text) => /stays? on the GPU/.test(text) && /[KMG]iB/.test(text))).toBe(true);
    const explained = explainMap(map, tensors, options).plan;
    expect(explained?.placements).toEqual(plan.placements);
    expect(explained?.assumptions.some((text) => text.startsWith(`Of ${split.length} streamed layers `))).toBe(true);
  });

  it('is a difference between plans', () => {
    const whole = plan.placements.map(({ keptBytes, ...placement }) =>
      keptBytes === undefined ? placement : { ...placement, keptBytes: keptBytes + 1 },
    );
    expect(diffPlans(plan, { ...plan, placements: whole }).moved.map(({ block }) => block)).toEqual(
      split.map(({ block }) => block),
    );
  });
});
