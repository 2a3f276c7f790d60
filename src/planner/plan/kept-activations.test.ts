/** What several rows at once take, against what one H200 took. */
import { describe, expect, it } from 'vitest';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { parseModelConfig } from '../../model/blip2-config.js';
import { PRESETS } from '../../model/presets.js';
import { KNOWN_GPUS, planDeviceMap, UNKNOWN_HOST } from '../index.js';
import { preparePlan } from './request/prepare-plan.js';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
/** InstructBLIP with vicuna-7b. */
const CONFIG = {
  model_type: 'instructblip',
  image_token_index: 32000,
  num_query_tokens: 32,
  vision_config: {},
  qformer_config: { vocab_size: 30523 },
  text_config: {
    model_type: 'llama',
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    vocab_size: 32001,
    max_position_embeddings: 2048,
  },
};
const tensors = blip2Tensors(parseModelConfig(CONFIG), { dtype: 'F16', ownHead: true });
const h200 = KNOWN_GPUS.get('H200');
if (h200 === undefined) throw new Error('no profile of the H200');
const options = {
  config: CONFIG,
  machine: { gpus: [h200], host: UNKNOWN_HOST },
  budgets: { gpus: new Map([[0, 10 * GIB]]), ramBytes: null, diskBytes: 0 },
};
const taken = (batch: number, beams: number, allowQuant: readonly 'int8'[] = []) =>
  preparePlan(tensors, { ...options, allowQuant, workload: { batch, beams } }).overheads.get(0) ?? NaN;

describe('rows at once', () => {
  it.each([
    // What plans of opt-2.7b in 12 GiB counted for these on an H200, and had free beyond what one of one picture had there.
    { batch: 8, beams: 5, counted: 190, free: 153 - 121 },
    { batch: 16, beams: 1, counted: 222, free: 191 - 121 },
    { batch: 32, beams: 1, counted: 460, free: 270 - 121 },
    { batch: 64, beams: 1, counted: 934, free: 464 - 121 },
  ])(
    'take what the card took, and at most 0.6 of it more: $batch with $beams beams',
    ({ batch, beams, counted, free }) => {
      const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
      if (preset === undefined) throw new Error('no preset');
      const opt = blip2Tensors(parseModelConfig(preset.config), { dtype: 'F16', ownHead: false });
      const of = (workload: { batch: number; beams: number }) =>
        preparePlan(opt, { ...options, config: preset.config, workload }).overheads.get(0) ?? NaN;
      const kept = of({ batch, beams }) - of({ batch: 1, beams: 1 });
      expect(kept).toBeGreaterThanOrEqual((counted - free) * MIB);
      expect(kept).toBeLessThan(1.6 * (counted - free) * MIB);
    },
  );

  it('take more, the more they are', () => {
    const each = [taken(1, 1), taken(2, 1), taken(4, 1), taken(8, 1), taken(8, 5)];
    expect(each).toEqual(each.toSorted((a, b) => a - b));
    expect(new Set(each).size).toBe(each.length);
  });

  it('are within the budget of a plan', () => {
    const result = planDeviceMap(tensors, { ...options, workload: { batch: 8, beams: 5 } });
    if (result.status === 'infeasible') throw new Error('does not fit');
    const gpu = result.plan.devices.find(({ id }) => id === 0);
    expect(gpu?.overheadBytes).toBe(taken(8, 5));
    expect(gpu?.freeBytes).toBeGreaterThanOrEqual(0);
  });
});
