import { expect, it } from 'vitest';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { blip2Tensors } from '../../../model/blip2-tensors.js';
import { DEFAULT_PRESET, PRESETS } from '../../../model/presets.js';
import { UNKNOWN_GPU, UNKNOWN_HOST } from '../../price/known-devices.js';
import { planDeviceMap } from '../plan-device-map.js';

const GIB = 2 ** 30;

it.each(['blip2-run', 'transformers'] as const)(
  'a GPU on which nothing is has all of its budget free: %s',
  (engine) => {
    const preset = PRESETS.get(DEFAULT_PRESET);
    if (preset === undefined) throw new Error('preset');
    const { config, ownHead } = preset;
    const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F16', ownHead });
    const budgets = { gpus: new Map([0, 1].map((id) => [id, 24 * GIB])), ramBytes: null, diskBytes: 0 };
    const machine = { gpus: [UNKNOWN_GPU, UNKNOWN_GPU], host: UNKNOWN_HOST };
    const result = planDeviceMap(tensors, { config, budgets, machine, engine, countContext: true });
    if (result.status === 'infeasible') throw new Error('does not fit');
    const { plan } = result;
    const used = new Set<unknown>(plan.placements.map(({ runsOn }) => runsOn));
    expect(used.size).toBe(1);
    for (const { id, overheadBytes, freeBytes } of plan.devices.filter((each) => typeof each.id === 'number')) {
      if (used.has(id)) expect(overheadBytes).toBeGreaterThan(0);
      else expect({ overheadBytes, freeBytes }).toEqual({ overheadBytes: 0, freeBytes: 24 * GIB });
    }
  },
);
