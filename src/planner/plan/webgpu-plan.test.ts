/** Plans for WebGPU against what its runs took on one H200 (bench/gpu, blip2-opt-2.7b in float16, 20 tokens). */
import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import { loadModelTable } from '../models/load-model-table.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../price/known-devices.js';
import type { QuantScheme } from '../../tensor/quantized.js';
import { elementCount } from '../../tensor/tensor-info.js';
import { planDeviceMap } from './plan-device-map.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
const h200 = KNOWN_GPUS.get('H200');
if (preset === undefined || h200 === undefined) throw new Error('no preset');
const { config, ownHead } = preset;
const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F16', ownHead });

function planned(gib: number, provider: 'cuda' | 'webgpu', allowQuant: readonly QuantScheme[] = [], workload = {}) {
  const budgets = { gpus: new Map([[0, gib * GIB]]), ramBytes: null, diskBytes: 0 };
  const machine = { gpus: [h200 ?? neverHere()], host: UNKNOWN_HOST };
  const result = planDeviceMap(tensors, {
    config,
    provider,
    budgets,
    countContext: true,
    machine,
    allowQuant,
    workload,
  });
  if (result.status === 'infeasible') throw new Error('does not fit');
  const [gpu] = result.plan.devices;
  if (gpu === undefined) throw new Error('no GPU');
  return { plan: result.plan, gpu };
}

const neverHere = (): never => {
  throw new Error('no H200');
};

describe('plans for WebGPU', () => {
  // Peaks of the card beside weights, caches, activations and buffers for streaming.
  it.each([
    [12, [], 8000, 612],
    [6, [], 5871, 534],
    [4, [], 3801, 510],
    [4, ['int8'], 3962, 689],
  ] as const)('count at %d GiB what a run took (%s)', (gib, allowQuant, peakMiB, besideMiB) => {
    const { gpu } = planned(gib, 'webgpu', allowQuant);
    const overheadMiB = (gpu.overheadBytes + gpu.bufferBytes) / MIB;
    expect(overheadMiB).toBeGreaterThan(besideMiB);
    expect(overheadMiB - besideMiB).toBeLessThan(0.05 * peakMiB);
  });

  it('count float32 caches where plans for CUDA count float16', () => {
    const [webgpu, cuda] = [planned(12, 'webgpu').gpu, planned(12, 'cuda').gpu];
    expect(webgpu.cacheBytes).toBe(2 * cuda.cacheBytes);
    const inQFormer = [...tensors].filter(([name]) => name.startsWith('qformer.'));
    const elements = inQFormer.reduce((sum, [, { shape }]) => sum + elementCount(shape), 0);
    // Of the Q-Former's, all but what is summed and normed is in float16 on CUDA.
    expect((webgpu.weightBytes - cuda.weightBytes) / (2 * elements)).toBeGreaterThan(0.99);
    expect((webgpu.weightBytes - cuda.weightBytes) / (2 * elements)).toBeLessThan(1);
  });

  it.each([
    [1, 1, 0.307],
    [1, 5, 0.681],
    [8, 1, 1.22],
    [8, 5, 3.42],
    [32, 1, 3.99],
  ])('are within a quarter of the measured time, %i pictures with %i beams: %d s', (batch, beams, seconds) => {
    const { cost } = planned(70, 'webgpu', [], { batch, beams, newTokens: 20 }).plan;
    expect(cost.latencyMs / 1000 / seconds).toBeGreaterThan(0.75);
    expect(cost.latencyMs / 1000 / seconds).toBeLessThan(1.25);
  });

  it('say what they are for, and are not too fast where the host takes a part', () => {
    expect(planned(12, 'webgpu').plan.assumptions.join()).toContain('H200 through WebGPU');
    expect(planned(4, 'webgpu', ['int8']).plan.cost.latencyMs / 1064).toBeGreaterThan(0.75);
  });

  it('leave transformers as it is', () => {
    const options = {
      config,
      engine: 'transformers',
      budgets: { gpus: new Map([[0, 6 * GIB]]), ramBytes: null, diskBytes: 0 },
    } as const;
    const [plain, asked] = [
      planDeviceMap(tensors, options),
      planDeviceMap(tensors, { ...options, provider: 'webgpu' }),
    ];
    expect(asked).toEqual(plain);
  });

  it('leave models that blip2-run does not run as they are, whatever their files call the tensors', async () => {
    const shapes: Record<string, number[]> = {
      'wte.weight': [100, 64],
      'h.0.ln_1.weight': [64],
      'h.0.attn.c_attn.weight': [64, 192],
      'h.0.mlp.c_fc.weight': [64, 256],
      'ln_f.weight': [64],
    };
    const gpt2 = new Map(Object.entries(shapes).map(([name, shape]) => [name, { dtype: 'F16' as const, shape }]));
    const options = {
      config: { architectures: ['GPT2LMHeadModel'], model_type: 'gpt2', n_layer: 1, n_head: 2, n_embd: 64 },
      models: await loadModelTable(),
      budgets: { gpus: new Map([[0, GIB]]), ramBytes: null, diskBytes: 0 },
    };
    const asked = planDeviceMap(gpt2, { ...options, provider: 'webgpu' });
    expect(asked.status).toBe('fits');
    expect(asked).toEqual(planDeviceMap(gpt2, options));
  });
});
