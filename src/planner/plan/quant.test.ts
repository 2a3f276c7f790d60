/** Weight-only quantisation as a choice of the planner. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import { quantizableWeights } from '../../model/quantizable-weights.js';
import { blip2Blocks } from '../../model/blocks.js';
import { QUANT_SCHEMES, quantizedInfos, quantizedNames } from '../../tensor/quantized.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { KNOWN_GPUS, UNKNOWN_GPU, UNKNOWN_HOST } from '../price/known-devices.js';
import { costOf } from '../solve/problem.js';
import { casesOf } from './choice/cases.js';
import { choosePlaces } from './choice/choose-places.js';
import { preparePlan, type PlanContext } from './request/prepare-plan.js';
import type { PlanOptions } from './request/plan-options.js';
import { explainMap } from './comparison/explain-map.js';
import { planDeviceMap } from './plan-device-map.js';
import type { PlanDocument } from './document/plan-document.js';
import { readPlan } from './document/read-plan.js';

const GIB = 2 ** 30;
const h200 = KNOWN_GPUS.get('H200');
if (h200 === undefined) throw new Error('H200');

function published(name: string) {
  const preset = PRESETS.get(name);
  if (preset === undefined) throw new Error(name);
  const config = parseBlip2Config(preset.config);
  return {
    config: preset.config,
    parsed: config,
    tensors: blip2Tensors(config, { dtype: 'F32', ownHead: preset.ownHead }),
  };
}
const opt = published('Salesforce/blip2-opt-2.7b');
const t5 = published('Salesforce/blip2-flan-t5-xl');

const options = (gib: number, rest: Partial<PlanOptions> = {}): PlanOptions => ({
  config: opt.config,
  budgets: { gpus: new Map([[0, gib * GIB]]), ramBytes: null, diskBytes: 0 },
  machine: { gpus: [h200], host: UNKNOWN_HOST },
  countContext: true,
  ...rest,
});
const plan = (gib: number, rest: Partial<PlanOptions> = {}, tensors = opt.tensors): PlanDocument => {
  const result = planDeviceMap(tensors, options(gib, rest));
  if (result.status === 'infeasible') throw new Error('does not fit');
  return result.plan;
};

/** The checkpoint as `blip2-shard convert --quant` leaves it. */
function converted({ parsed, tensors }: typeof opt, scheme: 'int8' | 'int4'): Map<string, TensorInfo> {
  const table = 'language_model.model.decoder.embed_tokens.weight';
  const result = new Map(tensors);
  for (const block of blip2Blocks(parsed)) {
    for (const { name, source } of quantizableWeights(block, parsed, tensors, table)) {
      const names = quantizedNames(name, scheme);
      const infos = quantizedInfos(tensors.get(source)?.shape ?? [], scheme);
      result.set(names.values, infos.values).set(names.scales, infos.scales);
      if (name === source) result.delete(name);
    }
  }
  return result;
}

describe('plans that may quantise', () => {
  it('quantise nothing without permission, and nothing for nothing', () => {
    expect(plan(2).quant).toEqual({});
    // All fits and float16 is as fast on this card.
    const roomy = plan(10, { allowQuant: QUANT_SCHEMES });
    expect(roomy.quant).toEqual({});
    expect(roomy.placements).toEqual(plan(10).placements);
  });

  it('in 4 GiB as int8 and in 2 GiB as int4 bring the language model onto the card', () => {
    const four = plan(4, { allowQuant: ['int8'] });
    expect(four.cost.latencyMs).toBeLessThan(200);
    const two = plan(2, { allowQuant: ['int4'] });
    // A host that nobody measured is left alone; one as fast as the estimate would make it 197.
    expect(two.cost.latencyMs).toBeLessThan(300);
    for (const [document, scheme] of [
      [four, 'int8'],
      [two, 'int4'],
    ] as const) {
      const language = document.placements.filter(({ block }) => /language_model\.(.*layers|lm_head)/.test(block));
      expect(language.every(({ block, runsOn }) => runsOn === 0 && document.quant[block] === scheme)).toBe(true);
      expect(document.solver.status).toBe('optimal');
      expect(document.accuracy).toEqual([expect.objectContaining({ scheme, blocks: 33 })]);
    }
  });

  it('count bytes as the weights are stored: 5.3 GB of float16 are 2.8 GB as int8', () => {
    const document = plan(6, { allowQuant: ['int8'], machine: { gpus: [UNKNOWN_GPU], host: UNKNOWN_HOST } });
    const layer = 'language_model.model.decoder.layers.0';
    const [d, f] = [2560, 10240];
    // A byte for each value, and two for the 32 that share a scale.
    const bytesOf = (values: number) => values + 2 * (values / 32);
    const weights = bytesOf(4 * d * d + 2 * f * d);
    expect(document.quant[layer]).toBe('int8');
    expect(document.placements.find(({ block }) => block === layer)?.weightBytes).toBe(weights + 2 * (9 * d + f));
    // A tied head has weights of its own once it is quantised, and the table stays where its rows are looked up.
    const head = document.placements.find(({ block }) => block === 'language_model.lm_head');
    expect(head?.weightBytes).toBe(bytesOf(50304 * d));
    expect(document.devices.find(({ id }) => id === 'cpu')?.weightBytes).toBeGreaterThanOrEqual(2 * 50304 * d);
  });

  it('take a checkpoint that is quantised already as it is', () => {
    for (const [scheme, gib] of [
      ['int8', 4],
      ['int4', 2],
    ] as const) {
      const before = plan(gib, { allowQuant: [scheme] });
      const after = plan(gib, {}, converted(opt, scheme));
      expect(after.quant).toEqual(before.quant);
      // Which of two equal layers is streamed may differ.
      expect(after.cost).toEqual(before.cost);
      expect(after.devices).toEqual(before.devices);
    }
  });

  it('are for blip2-run alone', () => {
    expect(() => plan(4, { engine: 'transformers', allowQuant: ['int8'] })).toThrow(
      expect.objectContaining({ code: 'QUANT_INVALID', hint: expect.stringContaining('Leave allowQuant out') }),
    );
    expect(() => plan(4, { engine: 'transformers' }, converted(opt, 'int8'))).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/lm_head|layers\.0/),
        hint: expect.stringContaining('Give the checkpoint with floats'),
      }),
    );
    const bare = new Map([['h.0.fc.weight', { dtype: 'F32', shape: [8, 8] } as const]]);
    expect(() => plan(4, { config: undefined, allowQuant: ['int8'] }, bare)).toThrow(/language model/);
  });

  it('are read back and priced as what they are', () => {
    const document = plan(2, { allowQuant: ['int4'] });
    const { map, quant } = readPlan(JSON.parse(JSON.stringify(document)));
    expect(Object.fromEntries(quant)).toEqual(document.quant);
    const { issues, plan: again, overBudget } = explainMap(map, opt.tensors, options(2), quant);
    expect(issues).toEqual([]);
    expect(overBudget).toEqual([]);
    expect(again?.quant).toEqual(document.quant);
    expect(again?.cost.latencyMs).toBeCloseTo(document.cost.latencyMs, 6);
    expect(explainMap(map, opt.tensors, options(2)).overBudget).toHaveLength(1);
  });

  it('quantise T5 as well, its cross keys and values included', () => {
    const document = plan(3, { config: t5.config, allowQuant: ['int4'] }, t5.tensors);
    expect(document.quant['language_model.decoder.block.3']).toBe('int4');
    expect(document.quant['language_model.shared']).toBeUndefined();
    expect(document.cost.latencyMs).toBeLessThan(plan(3, { config: t5.config }, t5.tensors).cost.latencyMs);
  });
});

const small = {
  model_type: 'blip-2',
  image_token_index: 999,
  vision_config: {
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    image_size: 28,
    patch_size: 14,
  },
  qformer_config: {
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    encoder_hidden_size: 32,
  },
  num_query_tokens: 4,
};
const decoders = fc.record({ layers: fc.constantFrom(1, 2), tied: fc.boolean() }).map(({ layers, tied }) => {
  const text = {
    model_type: 'opt',
    hidden_size: 128,
    num_hidden_layers: layers,
    num_attention_heads: 4,
    ffn_dim: 512,
    word_embed_proj_dim: 128,
    vocab_size: 1000,
  };
  const config = { ...small, text_config: text };
  return { config, tensors: blip2Tensors(parseBlip2Config(config), { dtype: 'F32', ownHead: !tied }) };
});
const limits = fc.record({
  gpu: fc.integer({ min: 0, max: 1_600_000 }),
  ram: fc.option(fc.integer({ min: 0, max: 4_000_000 })),
});
const slowCard = { ...UNKNOWN_GPU, memoryBytesPerSecond: 1e9 };

/** The language model of a small BLIP-2 alone. */
function languagePart(
  { config, tensors }: { config: object; tensors: ReadonlyMap<string, TensorInfo> },
  { gpu, ram }: { gpu: number; ram: number | null },
  allowQuant: PlanOptions['allowQuant'] = [],
): PlanContext {
  const context = preparePlan(tensors, {
    config,
    budgets: { gpus: new Map([[0, gpu]]), ramBytes: ram, diskBytes: 0 },
    machine: { gpus: [slowCard], host: UNKNOWN_HOST },
    allowQuant,
  });
  const blocks = context.profile.blocks.filter(({ name }) => name.startsWith('language_model.'));
  return { ...context, profile: { ...context.profile, blocks } };
}

describe('choosePlaces with schemes', () => {
  it('finds what trying every placement and scheme finds', () => {
    fc.assert(
      fc.property(decoders, limits, fc.constantFrom(...QUANT_SCHEMES), (model, limit, scheme) => {
        const context = languagePart(model, limit, [scheme]);
        let best = Infinity;
        for (const { problem } of casesOf(context)) {
          const walk = (choice: number[]): void => {
            const i = choice.length;
            if (i === problem.items.length) best = Math.min(best, costOf(problem, choice));
            else {
              for (let p = 0; p < problem.places; p++) {
                if ((problem.items[i]?.cost[p] ?? Infinity) < Infinity) walk([...choice, p]);
              }
            }
          };
          walk([]);
        }
        const found = choosePlaces(context).cost;
        if (best === Infinity) expect(found).toBe(Infinity);
        else expect(found).toBeCloseTo(best, 9);
      }),
      { numRuns: 40 },
    );
  });

  it('never costs more with more schemes, and never exceeds a budget by a byte', () => {
    fc.assert(
      fc.property(decoders, limits, (model, limit) => {
        const cost = (allowQuant: PlanOptions['allowQuant']) =>
          choosePlaces(languagePart(model, limit, allowQuant)).cost;
        const floats = cost([]);
        const one = cost(['int8']);
        expect(one).toBeLessThanOrEqual(floats * (1 + 1e-9));
        expect(cost(['int8', 'int4'])).toBeLessThanOrEqual(one * (1 + 1e-9));
        const result = planDeviceMap(model.tensors, {
          config: model.config,
          budgets: { gpus: new Map([[0, limit.gpu]]), ramBytes: limit.ram, diskBytes: 0 },
          machine: { gpus: [slowCard], host: UNKNOWN_HOST },
          allowQuant: QUANT_SCHEMES,
          explain: false,
        });
        if (result.status === 'infeasible') return;
        for (const { freeBytes } of result.plan.devices) expect(freeBytes ?? 0).toBeGreaterThanOrEqual(0);
        const held = result.plan.devices.reduce((sum, device) => sum + device.weightBytes, 0);
        expect(held).toBe(result.plan.placements.reduce((sum, { weightBytes }) => sum + weightBytes, 0));
      }),
      { numRuns: 40 },
    );
  });
});
