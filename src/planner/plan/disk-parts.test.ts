import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openCheckpoint } from '../../loader/open-checkpoint.js';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { DEFAULT_PRESET, PRESETS } from '../../model/presets.js';
import { deviceOf } from '../map/device-map.js';
import { parseDeviceMap } from '../map/parse-device-map.js';
import { preparePlan } from './request/prepare-plan.js';
import type { PlanOptions } from './request/plan-options.js';
import { explainMap } from './comparison/explain-map.js';
import { planDeviceMap } from './plan-device-map.js';

/** What transformers 5.24 answers with one part on disk, recorded by test/fixtures/planner/record_disk.py. */
const { rows } = z
  .object({
    rows: z.array(
      z.object({ model: z.string(), dtype: z.enum(['float16', 'bfloat16']), part: z.string(), outcome: z.string() }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../test/fixtures/planner/disk-parts.json', import.meta.url), 'utf8')));

const unlimited = { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 2 ** 40 };

describe('parts on disk under transformers', () => {
  it.each(rows)('$model in $dtype: $part on disk, $outcome', async ({ model, dtype, part, outcome }) => {
    const folder = fileURLToPath(new URL(`../../../test/fixtures/goldens/${model}`, import.meta.url));
    const { tensors, config } = await openCheckpoint(folder);
    const options: PlanOptions = { config, budgets: unlimited, engine: 'transformers', dtype };
    const block = preparePlan(tensors, options).profile.blocks.find(({ name }) => name === part);
    expect(block?.stores.includes('disk')).toBe(outcome === 'same');
    const issues = explainMap(parseDeviceMap({ '': 'cpu', [part]: 'disk' }), tensors, options).issues;
    expect(issues.some(({ code }) => code.endsWith('_ON_DISK'))).toBe(outcome !== 'same');
    const pinned = () => planDeviceMap(tensors, { ...options, pins: new Map([[part, 'disk']]) });
    // A norm of the Q-Former is where the query tokens are.
    if (outcome === 'same' && block?.bond === null) expect(pinned().status).toBe('fits');
    else expect(pinned).toThrow(expect.objectContaining({ code: 'PIN_IMPOSSIBLE' }));
  });

  it('keeps the Q-Former of a published model off the disk in float16', () => {
    const preset = PRESETS.get(DEFAULT_PRESET);
    if (preset === undefined) throw new Error('preset');
    const { config, ownHead } = preset;
    const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F32', ownHead });
    const gib = 2 ** 30;
    const budgets = { gpus: new Map([[0, 4 * gib]]), ramBytes: 2 * gib, diskBytes: 20 * gib };
    const plan = planDeviceMap(tensors, { config, budgets, engine: 'transformers' });
    if (plan.status === 'infeasible') throw new Error('fits');
    const onDisk = [...tensors.keys()].filter((name) => deviceOf(plan.map, name) === 'disk');
    expect(onDisk.length).toBeGreaterThan(0);
    expect(onDisk.filter((name) => name.startsWith('q'))).toEqual([]);
  });
});
