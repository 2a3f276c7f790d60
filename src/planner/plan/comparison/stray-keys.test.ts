import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isDtype } from '../../../tensor/dtype.js';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { parseDeviceMap } from '../../map/parse-device-map.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { explainMap } from './explain-map.js';

/** Maps that transformers makes itself, recorded by test/fixtures/planner/record_models.py; here for names without a known class. */
const recorded = z
  .object({
    models: z.array(
      z.object({
        class: z.string(),
        file: z.record(z.string(), z.tuple([z.string()]).rest(z.number())),
        loaded: z.array(z.string()),
        maps: z.object({ sequential: z.record(z.string(), z.unknown()).nullable() }),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../../test/fixtures/planner/models.json', import.meta.url), 'utf8')));

const models = await loadModelTable();
const config = { architectures: ['ModelOfNobody'], model_type: 'nobodys' };
const options = {
  config,
  models,
  engine: 'transformers',
  budgets: { gpus: new Map([[0, 2 ** 50]]), ramBytes: null, diskBytes: 0 },
} as const;

const rows = recorded.models.flatMap(({ class: name, file, loaded, maps: { sequential } }) => {
  const tensors = new Map<string, TensorInfo>();
  for (const [tensor, [dtype, ...shape]] of Object.entries(file))
    if (isDtype(dtype)) tensors.set(tensor, { dtype, shape });
  const isAsStored = loaded.length === tensors.size && loaded.every((each) => tensors.has(each));
  return isAsStored && sequential !== null && sequential['model.rotary_emb'] !== undefined
    ? [{ name, tensors, map: sequential }]
    : [];
});

describe('keys that are in no tensor of a class that is not known', () => {
  it('are in maps that transformers makes', () => {
    expect(rows.map(({ name }) => name)).toContain('LlamaForCausalLM');
  });

  it.each(rows)('$name: may be modules without weights, and are said', ({ tensors, map }) => {
    const { issues, plan } = explainMap(parseDeviceMap(map), tensors, options);
    expect(issues.map(({ code }) => code)).not.toContain('MAP_UNKNOWN_KEY');
    expect(plan?.warnings.join('\n')).toContain('model.rotary_emb');
    const { 'model.rotary_emb': _, ...others } = map;
    expect(explainMap(parseDeviceMap(others), tensors, options).plan?.warnings.join('\n')).not.toContain("No tensor's");
  });

  it.each(rows)('$name: are faults where something has no device', ({ tensors, map }) => {
    const { 'model.norm': device, ...others } = map;
    const { issues } = explainMap(parseDeviceMap({ ...others, 'model.nrom': device ?? 0 }), tensors, options);
    expect(issues.map(({ code }) => code)).toEqual(expect.arrayContaining(['MAP_UNCOVERED', 'MAP_UNKNOWN_KEY']));
  });

  it.each(rows)('$name: are said of a map in the names of a file as well', ({ tensors }) => {
    const slip = parseDeviceMap({ '': 0, 'model.nrom': 'cpu' });
    const known = {
      ...options,
      config: { architectures: ['LlamaForCausalLM'], model_type: 'llama' },
      names: 'file',
    } as const;
    expect(explainMap(slip, tensors, known).plan?.warnings.join('\n')).toContain('model.nrom');
  });
});
