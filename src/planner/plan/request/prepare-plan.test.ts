import { describe, expect, it } from 'vitest';
import { parseBlip2Config, parseModelConfig } from '../../../model/blip2-config.js';
import { blip2Tensors } from '../../../model/blip2-tensors.js';
import { PRESETS } from '../../../model/presets.js';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { UNKNOWN_GPU, UNKNOWN_HOST } from '../../price/known-devices.js';
import { planPreparer, preparePlan } from './prepare-plan.js';

function prepared(name: string, workload: { promptTokens: number; newTokens: number }) {
  const preset = PRESETS.get(`Salesforce/blip2-${name}`);
  if (preset === undefined) throw new Error(name);
  const tensors = blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead: preset.ownHead });
  const budgets = { gpus: new Map([[0, 2 ** 33]]), ramBytes: null, diskBytes: 0 };
  return preparePlan(tensors, { config: preset.config, budgets, workload });
}

describe('a workload', () => {
  // OPT has a table of 2048 positions (`max_position_embeddings`).
  it('has one token more than the model has positions, as nothing follows the last, and no more', () => {
    expect(prepared('opt-2.7b', { promptTokens: 40, newTokens: 2009 }).profile.workload.newTokens).toBe(2009);
    expect(() => prepared('opt-2.7b', { promptTokens: 40, newTokens: 2010 })).toThrow(
      expect.objectContaining({
        code: 'WORKLOAD_INVALID',
        message: expect.stringContaining('2050; this model has 2048 positions'),
        hint: 'newTokens may be 2009 at most.',
      }),
    );
    expect(() => prepared('opt-2.7b', { promptTokens: 2049, newTokens: 1 })).toThrow(
      expect.objectContaining({ hint: 'promptTokens may be 2048 at most.' }),
    );
  });

  it('holds the instruction that InstructBLIP needs for a caption', () => {
    const preset = PRESETS.get('Salesforce/blip2-flan-t5-xl');
    const config = { ...(preset?.config as object), model_type: 'instructblip', qformer_config: { vocab_size: 30523 } };
    const tensors = blip2Tensors(parseModelConfig(config), { dtype: 'F32', ownHead: true });
    const budgets = { gpus: new Map([[0, 2 ** 33]]), ramBytes: null, diskBytes: 0 };
    expect(preparePlan(tensors, { config, budgets }).profile.workload.promptTokens).toBe(32 + 8);
  });

  it('may be of any length where positions are relative', () => {
    expect(prepared('flan-t5-xl', { promptTokens: 5000, newTokens: 5000 }).profile.workload.promptTokens).toBe(5000);
  });
});

it('plans for an estimated card where the machine was measured without one', () => {
  const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
  if (preset === undefined) throw new Error('preset');
  const tensors = blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead: preset.ownHead });
  const host = { ...UNKNOWN_HOST, name: 'measured' };
  const machineFor = (gpus: Map<number, number>) =>
    preparePlan(tensors, {
      config: preset.config,
      machine: { gpus: [], host },
      budgets: { gpus, ramBytes: null, diskBytes: 0 },
    }).machine;
  expect(machineFor(new Map([[0, 2 ** 33]]))).toEqual({ gpus: [UNKNOWN_GPU], host });
  expect(machineFor(new Map())).toEqual({ gpus: [], host });
});

/** A checkpoint's tensors that count how often somebody goes through them. */
class CountedTensors extends Map<string, TensorInfo> {
  passes = 0;
  override keys() {
    this.passes += 1;
    return super.keys();
  }
  override [Symbol.iterator]() {
    this.passes += 1;
    return super[Symbol.iterator]();
  }
}

it('goes through a checkpoint once for any number of workloads and budgets', () => {
  const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
  if (preset === undefined) throw new Error('preset');
  const tensors = new CountedTensors(
    blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead: preset.ownHead }),
  );
  const prepare = planPreparer(tensors, { config: preset.config });
  const { passes } = tensors;
  expect(passes).toBeGreaterThan(0);
  for (const batch of [1, 4, 16])
    for (const bytes of [2 ** 30, 2 ** 33]) {
      const budgets = { gpus: new Map([[0, bytes]]), ramBytes: null, diskBytes: 0 };
      expect(prepare({ budgets, workload: { batch } }).profile.workload.batch).toBe(batch);
    }
  expect(tensors.passes).toBe(passes);
});
