import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isDtype } from '../../tensor/dtype.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { deviceOf } from '../map/device-map.js';
import type { Device, DeviceMap } from '../map/device-map.js';
import { parentOf, pathsAbove } from '../map/module-paths.js';
import { parseDeviceMap } from '../map/parse-device-map.js';
import { parsePlan } from '../plan/document/plan-document.js';
import { transformersStrategy } from '../plan/comparison/transformers-strategy.js';
import { pythonSnippet } from '../report/python-snippet.js';
import { conflictingReadings } from '../map/prefix-readings.js';
import { preparePlan } from '../plan/request/prepare-plan.js';
import type { PlanOptions } from '../plan/request/plan-options.js';
import { explainMap } from '../plan/comparison/explain-map.js';
import { planDeviceMap } from '../plan/plan-device-map.js';
import type { GpuProfile } from '../price/device-profile.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../price/known-devices.js';
import { loadedModel } from './loaded-model.js';
import { loadModelTable } from './load-model-table.js';

/** What transformers 5.24 makes of checkpoints of 29 families, recorded by test/fixtures/planner/record_models.py. */
const recorded = z
  .object({
    transformers: z.string(),
    models: z.array(
      z.object({
        class: z.string(),
        config: z.record(z.string(), z.unknown()),
        file: z.record(z.string(), z.tuple([z.string()]).rest(z.number())),
        loaded: z.array(z.string()),
        ties: z.record(z.string(), z.string()),
        whole: z.array(z.string()),
        budget: z.number(),
        maps: z.object({ auto: z.unknown(), sequential: z.unknown() }),
        bytes: z.object({ float16: z.number(), bfloat16: z.number(), float32: z.number() }),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../test/fixtures/planner/models.json', import.meta.url), 'utf8')));

const table = await loadModelTable();
const CARD = gpu('RTX 4090');
const rows = recorded.models.map((row) => ({ ...row, name: row.class, tensors: tensorsOf(row.file) }));

function tensorsOf(file: (typeof recorded.models)[number]['file']): Map<string, TensorInfo> {
  return new Map(
    Object.entries(file).map(([name, [dtype, ...shape]]) => {
      if (!isDtype(dtype)) throw new Error(dtype);
      return [name, { dtype, shape }];
    }),
  );
}

function gpu(name: string): GpuProfile {
  const found = KNOWN_GPUS.get(name);
  if (found === undefined) throw new Error(name);
  return found;
}

function onGpu(bytes: number): PlanOptions['budgets'] {
  return { gpus: new Map([[0, Math.floor(bytes)]]), ramBytes: null, diskBytes: 0 };
}

describe('the table of models', () => {
  it('is of the version of transformers that the recorded models are of', () => {
    expect(table.version).toBe(recorded.transformers);
  });

  it.each(rows)(
    '$name: tensors have the names that transformers gives them',
    ({ class: name, config, tensors, loaded, ties }) => {
      const model = loadedModel(table, config, tensors);
      expect(model?.cls.name).toBe(name);
      expect([...(model?.tensors.keys() ?? [])].sort()).toEqual(loaded.filter((each) => !(each in ties)).sort());
      const shared = new Map(model?.ties.flatMap(([first = '', ...others]) => others.map((other) => [other, first])));
      expect(Object.fromEntries(shared)).toEqual(ties);
      expect(model?.warnings).toEqual([]);
    },
  );

  it.each(rows)(
    '$name: the modules that transformers does not split, and no other',
    ({ config, tensors, loaded, whole }) => {
      const isWhole = loadedModel(table, config, tensors)?.isWhole ?? (() => false);
      const modules = pathsAbove(loaded);
      expect([...modules].filter(isWhole).sort()).toEqual(whole.filter((module) => modules.has(module)).sort());
    },
  );

  it.each(rows)('$name: the bytes of every dtype, float32 modules included', ({ config, tensors, bytes }) => {
    for (const dtype of ['float16', 'bfloat16', 'float32'] as const) {
      const options = { config, models: table, dtype, engine: 'transformers', budgets: onGpu(0) } as const;
      expect(preparePlan(tensors, options).profile.weightBytes).toBe(bytes[dtype]);
    }
  });

  it.each(rows)('$name: maps cover all that is loaded, keep ties together and modules whole', (row) => {
    const { config, tensors, loaded, ties, whole, bytes } = row;
    for (const [part, cutsLayers] of [0.3, 0.6].flatMap((each) => [[each, false] as const, [each, true] as const])) {
      const options = {
        cutsLayers,
        config,
        models: table,
        dtype: 'float16',
        engine: 'transformers',
        budgets: onGpu(bytes.float16 * part),
        workload: { promptTokens: 64 },
      } as const;
      const result = planDeviceMap(tensors, { ...options, solver: { effort: 100_000 } });
      if (result.status === 'infeasible') throw new Error('RAM has no limit');
      const { map } = result;
      expect(loaded.filter((name) => deviceOf(map, name) === undefined)).toEqual([]);
      expect(conflictingReadings(map, loaded)).toEqual([]);
      expect(Object.entries(ties).filter(([a, b]) => deviceOf(map, a) !== deviceOf(map, b))).toEqual([]);
      // Whole is where it runs. What streams to the only GPU runs there, each of its modules with all of its tensors.
      const homes = (module: string) =>
        new Set(loaded.filter((name) => name.startsWith(`${module}.`)).map((name) => deviceOf(map, name)));
      const cut = whole.filter((module) => homes(module).size > 1);
      if (!cutsLayers) expect(cut).toEqual([]);
      expect(cut.filter((module) => !homes(module).has(0))).toEqual([]);
      const leaves = new Set(
        loaded.map(parentOf).filter((leaf) => cut.some((module) => leaf.startsWith(`${module}.`))),
      );
      expect([...leaves].filter((leaf) => homes(leaf).size > 1)).toEqual([]);
      expect(explainMap(map, tensors, options).issues).toEqual([]);
    }
  });

  it.each(rows.filter(({ whole }) => whole.length > 0))(
    '$name: what transformers itself answers',
    ({ config, tensors, loaded, budget, maps }) => {
      const where = (map: DeviceMap) => Object.fromEntries(loaded.map((name) => [name, deviceOf(map, name)]));
      for (const [strategy, theirs] of [
        ['balanced', maps.auto],
        ['sequential', maps.sequential],
      ] as const) {
        const map = transformersStrategy({
          tensors,
          config,
          models: table,
          budgets: onGpu(budget),
          dtype: 'float16',
          strategy,
        });
        expect(where(map)).toEqual(where(parseDeviceMap(theirs)));
      }
    },
  );

  it.each(rows)('$name: every key of the maps that transformers makes itself is known', ({ config, tensors, maps }) => {
    const options = { config, models: table, dtype: 'float16', engine: 'transformers', budgets: onGpu(0) } as const;
    for (const theirs of [maps.auto, maps.sequential]) {
      const { issues } = explainMap(parseDeviceMap(theirs), tensors, options);
      expect(issues.filter(({ code }) => code === 'MAP_UNKNOWN_KEY' || code === 'MAP_UNCOVERED')).toEqual([]);
    }
  });

  it('what a forward asks for its device stays on the GPU', () => {
    const row = rows.find(({ name }) => name === 'Idefics3ForConditionalGeneration');
    if (row === undefined) throw new Error('Idefics3 is not recorded');
    const options = { config: row.config, models: table, engine: 'transformers', budgets: onGpu(0) } as const;
    const { blocks } = preparePlan(row.tensors, options).profile;
    const stays = blocks.filter(({ stores }) => stores.length === 0).map(({ name }) => name);
    expect(stays).toEqual(['model.vision_model.embeddings.patch_embedding']);
  });

  it('a module without weights is known by its path, its neighbours that are not there are not', () => {
    const row = rows.find(({ name }) => name === 'Qwen2VLForConditionalGeneration');
    if (row === undefined) throw new Error('Qwen2-VL is not recorded');
    const unknown = ['model.visual.merger.mlp.3', 'model.language_model.layers.99.act', 'model.rotary_emb'];
    const keys = ['', 'model.visual.merger.mlp.1', 'model.language_model.rotary_emb', ...unknown];
    const options = { config: row.config, models: table, engine: 'transformers', budgets: onGpu(0) } as const;
    const { issues } = explainMap(new Map(keys.map((key) => [key, 0])), row.tensors, options);
    const found = issues.find(({ code }) => code === 'MAP_UNKNOWN_KEY');
    expect(found !== undefined && 'names' in found ? found.names : []).toEqual(unknown);
  });

  // As transformers 4.57.6 names them, and 4.51.3 (the last two).
  it.each([
    [
      'LlavaForConditionalGeneration',
      'model.vision_tower.vision_model.encoder.layers.1',
      'model.vision_tower.encoder.layers.1',
    ],
    [
      'PaliGemmaForConditionalGeneration',
      'model.vision_tower.vision_model.embeddings',
      'model.vision_tower.embeddings',
    ],
    ['LlavaForConditionalGeneration', 'language_model.model.layers.0', 'model.language_model.layers.0'],
    ['Gemma3ForConditionalGeneration', 'vision_tower.vision_model.embeddings', 'model.vision_tower.embeddings'],
    ['LlavaForConditionalGeneration', 'model.vision_tower.encoder.layers.99', null],
    ['LlavaForConditionalGeneration', 'model.vision_towr', null],
    ['BertForMaskedLM', 'bert.encoder.layer.0.atention.output', null],
  ])('%s: says how %s is named: %s', (name, key, present) => {
    const row = rows.find((each) => each.name === name);
    if (row === undefined) throw new Error(`${name} is not recorded`);
    const options = { config: row.config, models: table, engine: 'transformers', budgets: onGpu(0) } as const;
    const { issues } = explainMap(parseDeviceMap({ '': 0, [key]: 0 }), row.tensors, options);
    const found = issues.find(({ code }) => code === 'MAP_UNKNOWN_KEY');
    expect(found?.message.includes(' here: ')).toBe(present !== null);
    if (present !== null) expect(found?.message).toContain(`${key} is ${present} here`);
  });

  it('frequencies are where what reads them runs: earlier releases leave what they make of them there', () => {
    const row = rows.find(({ name }) => name === 'Qwen2_5_VLForConditionalGeneration');
    if (row === undefined) throw new Error('not recorded');
    const budgets = onGpu(row.bytes.float16 * 0.6);
    const options = { config: row.config, models: table, dtype: 'float16', engine: 'transformers', budgets } as const;
    const result = planDeviceMap(row.tensors, options);
    if (result.status === 'infeasible') throw new Error('RAM has no limit');
    expect(new Set(result.map.values())).toEqual(new Set([0, 'cpu']));
    for (const module of ['model.visual.rotary_pos_emb', 'model.language_model.rotary_emb'])
      expect(deviceOf(result.map, module)).toBe(0);
  });

  it('buffers of the root module that a map leaves in memory are brought to the GPU', () => {
    const row = rows.find(({ name }) => name === 'BartForConditionalGeneration');
    if (row === undefined) throw new Error('BART is not recorded');
    const options = { config: row.config, models: table, engine: 'transformers', budgets: onGpu(1e12) } as const;
    const explained = (home: 'cpu' | 'disk') =>
      explainMap(
        new Map<string, Device>([
          ['model', 0],
          ['lm_head', 0],
          ['final_logits_bias', home],
        ]),
        row.tensors,
        options,
      );
    expect(explained('cpu').issues).toEqual([]);
    expect(explained('cpu').plan?.cost.streamedBytesPerToken).toBe(0);
    expect(explained('disk').issues.map(({ code }) => code)).toEqual(['MAP_NOT_ON_GPU']);
  });

  it.each(rows)(
    '$name: no slower than what transformers answers, where that keeps to the budget',
    ({ config, tensors, bytes }) => {
      // A host that no plan leaves work to.
      const host = { ...UNKNOWN_HOST, memoryBytesPerSecond: 1e6, flopsPerSecond: 1e6 };
      const machine = { gpus: [CARD], host };
      for (const part of [0.25, 0.5, 0.75]) {
        const budgets = onGpu(bytes.float16 * part);
        const options = {
          config,
          models: table,
          dtype: 'float16',
          engine: 'transformers',
          budgets,
          machine,
          workload: { promptTokens: 8, newTokens: 4 },
        } as const;
        const map = transformersStrategy({
          tensors,
          config,
          models: table,
          budgets,
          dtype: 'float16',
          strategy: 'balanced',
        });
        const theirs = explainMap(map, tensors, options);
        // Its map of SigLIP fails in the first forward pass, which is said.
        if (theirs.overBudget.length > 0 || theirs.issues.length > 0 || theirs.plan === null) continue;
        const result = planDeviceMap(tensors, options);
        if (result.status === 'infeasible') throw new Error('RAM has no limit');
        expect(result.plan.cost.latencyMs).toBeLessThanOrEqual(theirs.plan.cost.latencyMs);
      }
    },
  );

  it('a bias with an axis of its own is no product, whose outputs would take memory', () => {
    const bart = rows.find(({ name }) => name === 'BartForConditionalGeneration');
    if (bart === undefined) throw new Error('recorded');
    const options = { config: bart.config, models: table, engine: 'transformers', budgets: onGpu(0) } as const;
    const { profile } = preparePlan(bart.tensors, options);
    const bias = profile.blocks.find(({ name }) => name === 'final_logits_bias');
    expect(bart.tensors.get('final_logits_bias')?.shape).toHaveLength(2);
    expect(bias).toMatchObject({ activationElements: 0 });
  });

  it.each(rows)('$name: Python that names the class', ({ class: name, config, tensors }) => {
    const result = planDeviceMap(tensors, { config, models: table, engine: 'transformers', budgets: onGpu(2 ** 40) });
    if (result.status === 'infeasible') throw new Error('fits');
    expect(pythonSnippet(result.plan)).toContain(`model = ${name}.from_pretrained(`);
    expect(parsePlan(JSON.parse(JSON.stringify(result.plan)))).toEqual(result.plan);
  });

  it.each(rows)('$name: the same map in the names of the file', ({ config, tensors, bytes }) => {
    const options = {
      config,
      models: table,
      dtype: 'float16',
      engine: 'transformers',
      budgets: onGpu(bytes.float16 * 0.5),
      workload: { promptTokens: 64 },
      solver: { effort: 100_000 },
    } as const;
    const loaded = planDeviceMap(tensors, options);
    const file = planDeviceMap(tensors, { ...options, names: 'file' });
    if (loaded.status === 'infeasible' || file.status === 'infeasible') throw new Error('RAM has no limit');
    const sources = loadedModel(table, config, tensors)?.sources ?? new Map<string, readonly string[]>();
    for (const [name, stored] of sources) {
      for (const source of stored) expect(deviceOf(file.map, source)).toBe(deviceOf(loaded.map, name));
    }
    expect(explainMap(file.map, tensors, { ...options, names: 'file' }).issues).toEqual([]);
  });
});
