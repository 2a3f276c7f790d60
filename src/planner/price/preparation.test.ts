import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Blocks } from '../../model/blocks.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import { quantizableWeights } from '../../model/quantizable-weights.js';
import { elementCount } from '../../tensor/tensor-info.js';
import type { QuantScheme } from '../../tensor/quantized.js';
import { planDeviceMap } from '../plan/plan-device-map.js';

const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
if (preset === undefined) throw new Error('preset');
const config = parseBlip2Config(preset.config);
const tensors = blip2Tensors(config, { dtype: 'F32', ownHead: preset.ownHead });
const quantizable = blip2Blocks(config)
  .flatMap((block) => quantizableWeights(block, config, tensors, 'language_model.model.decoder.embed_tokens.weight'))
  .reduce((sum, { source }) => sum + elementCount(tensors.get(source)?.shape ?? []), 0);

function notes(gpus: ReadonlyMap<number, number>, allowQuant: readonly QuantScheme[]) {
  const budgets = { gpus, ramBytes: null, diskBytes: 0 };
  const result = planDeviceMap(tensors, { config: preset?.config, budgets, allowQuant });
  if (result.status === 'infeasible') throw new Error('does not fit');
  return result.plan.assumptions.flatMap((text) => {
    const [, seconds, billions] = /^Every start takes about ([\d.]+) s more, .* ([\d.]+) \* 10\^9/.exec(text) ?? [];
    return seconds === undefined ? [] : [{ seconds: Number(seconds), billions: Number(billions) }];
  });
}

describe('a plan for the CPU', () => {
  it('says how long every start takes to rearrange what it quantises', () => {
    const [note] = notes(new Map(), ['int8']);
    expect(note?.billions).toBeCloseTo(quantizable / 1e9, 1);
    expect(note?.seconds).toBeCloseTo((4.5 * quantizable) / 1e9, 0);
  });

  it('says nothing where it quantises nothing, or a GPU reads it', () => {
    expect(notes(new Map(), [])).toEqual([]);
    expect(notes(new Map([[0, 5 * 2 ** 30]]), ['int8'])).toEqual([]);
  });

  it.each([[[]], [['int8']]] as const)('says nothing of a start that takes no time to speak of (%j)', (allowQuant) => {
    const tiny: unknown = JSON.parse(readFileSync('test/fixtures/goldens/tiny-opt/config.json', 'utf8'));
    const stored = blip2Tensors(parseBlip2Config(tiny), { dtype: 'F16', ownHead: false });
    const budgets = { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 };
    const result = planDeviceMap(stored, { config: tiny, budgets, allowQuant });
    if (result.status === 'infeasible') throw new Error('does not fit');
    expect(result.plan.assumptions.filter((text) => text.includes(' start takes '))).toEqual([]);
  });
});
