/** Logits of more rows than a card multiplies by integers are made with the head as floats, however it is stored. */
import { expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import type { GpuProfile } from '../price/device-profile.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../price/known-devices.js';
import { lackingMemory } from './comparison/lacking-memory.js';
import { planDeviceMap } from './plan-device-map.js';

const GIB = 2 ** 30;
const HEAD = 'language_model.lm_head';
const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
if (preset === undefined) throw new Error('no opt-2.7b');
const { config } = preset;
const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F16', ownHead: false });

const H200 = KNOWN_GPUS.get('H200');
if (H200 === undefined) throw new Error('no H200');

function planFor(batch: number, gpus: readonly GpuProfile[] = []) {
  const budgets = { gpus: new Map([[0, 4 * GIB]]), ramBytes: null, diskBytes: 0 };
  const result = planDeviceMap(tensors, {
    config,
    budgets,
    allowQuant: ['int8'],
    workload: { batch },
    machine: { gpus: [...gpus], host: UNKNOWN_HOST },
  });
  if (result.status !== 'fits') throw new Error('does not fit');
  return result.plan;
}

it('is quantised for one row, and not chosen to be for more where nobody knows the card', () => {
  expect(planFor(1).quant).toHaveProperty([HEAD], 'int8');
  expect(planFor(8).quant).not.toHaveProperty([HEAD]);
  expect(Object.keys(planFor(8).quant).length).toBeGreaterThan(0);
});

it('is quantised for several rows where the card has a kernel for so many', () => {
  expect(planFor(8, [H200]).quant).toHaveProperty([HEAD], 'int8');
  expect(planFor(96, [H200]).quant).toHaveProperty([HEAD], 'int8');
  expect(planFor(97, [H200]).quant).not.toHaveProperty([HEAD]);
  expect(planFor(8, [{ ...H200, packedRows: 1 }]).quant).not.toHaveProperty([HEAD]);
});

it('costs one row at a time what it costs without such a kernel, in prompts too', () => {
  const costOf = (batch: number, packedRows: number) => planFor(batch, [{ ...H200, packedRows }]).cost;
  expect(costOf(1, 96)).toEqual(costOf(1, 1));
  expect(costOf(8, 96).latencyMs).toBeLessThan(costOf(8, 1).latencyMs);
});

it('takes room for its floats where a plan for one row meets more', () => {
  const plan = planFor(1);
  const tight = plan.devices.map((device) => (device.id === 0 ? { ...device, freeBytes: 0 } : device));
  const asked = { ...plan.workload, batch: 2 };
  const lacking = lackingMemory({ ...plan, devices: tight }, { tensors, config, provider: 'cuda' })(asked);
  const { hiddenSize, vocabSize } = parseBlip2Config(config).text;
  // Beside its integers, in place of what was staged.
  expect(lacking.get(0)).toBeGreaterThan(1.4 * hiddenSize * vocabSize);
});
