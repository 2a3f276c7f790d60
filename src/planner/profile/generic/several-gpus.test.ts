import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { deviceOf, type Device, type DeviceMap } from '../../map/device-map.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { explainMap } from '../../plan/comparison/explain-map.js';
import { UNKNOWN_GPU, UNKNOWN_HOST } from '../../price/known-devices.js';
import { planDeviceMap } from '../../plan/plan-device-map.js';
import type { PlanOptions } from '../../plan/request/plan-options.js';

const models = await loadModelTable();

interface File {
  readonly config: object;
  readonly modules: readonly string[];
}

const layers = (path: string, leaves: readonly string[]): string[] =>
  Array.from({ length: 4 }, (_, i) => leaves.map((leaf) => `${path}.${i}.${leaf}`)).flat();

const LAYOUT: File = {
  config: { architectures: ['LayoutLMv3Model'], model_type: 'layoutlmv3' },
  modules: [
    ...['word_embeddings', 'position_embeddings', 'x_position_embeddings', 'LayerNorm'].map(
      (each) => `embeddings.${each}`,
    ),
    'patch_embed.proj',
    'norm',
    ...['rel_pos_bias', 'rel_pos_x_bias', 'rel_pos_y_bias'].map((each) => `encoder.${each}`),
    ...layers('encoder.layer', [
      'attention.self.query',
      'attention.output.dense',
      'intermediate.dense',
      'output.dense',
    ]),
  ],
};
const BIOGPT: File = {
  config: { architectures: ['BioGptForCausalLM'], model_type: 'biogpt' },
  modules: [
    ...['embed_tokens', 'embed_positions', 'layer_norm'].map((each) => `biogpt.${each}`),
    ...layers('biogpt.layers', ['self_attn.q_proj', 'fc1', 'fc2']),
    'output_projection',
  ],
};
const GPT: File = {
  config: { architectures: ['OpenAIGPTLMHeadModel'], model_type: 'openai-gpt' },
  modules: [
    'transformer.tokens_embed',
    'transformer.positions_embed',
    ...layers('transformer.h', ['attn.c_attn', 'mlp.c_fc']),
  ],
};
const ALBERT: File = {
  config: { architectures: ['AlbertModel'], model_type: 'albert' },
  modules: [
    'embeddings.word_embeddings',
    'embeddings.position_embeddings',
    'encoder.embedding_hidden_mapping_in',
    ...['attention.query', 'attention.dense', 'ffn', 'ffn_output', 'full_layer_layer_norm'].map(
      (each) => `encoder.albert_layer_groups.0.albert_layers.0.${each}`,
    ),
    'pooler',
  ],
};
const LLAMA: File = {
  config: { architectures: ['LlamaForCausalLM'], model_type: 'llama', tie_word_embeddings: false },
  modules: [
    'model.embed_tokens',
    ...layers('model.layers', ['self_attn.q_proj', 'mlp.down_proj']),
    'model.norm',
    'lm_head',
  ],
};

const tensorsOf = ({ modules }: File) =>
  new Map(modules.map((name): [string, TensorInfo] => [`${name}.weight`, { dtype: 'F16', shape: [64, 64] }]));

function mapOf(file: File, pins: DeviceMap): DeviceMap {
  const budgets = { gpus: new Map([0, 1].map((id) => [id, 2 ** 30])), ramBytes: null, diskBytes: 0 };
  const options: PlanOptions = { config: file.config, models, engine: 'transformers', budgets, pins };
  const result = planDeviceMap(tensorsOf(file), options);
  if (result.status !== 'fits') throw new Error('there is room');
  return result.map;
}

/** What runs on the GPU on which the model's own code does, where a layer is on either. */
const modulesOn = (map: DeviceMap, device: Device, { modules }: File) =>
  modules.filter((name) => deviceOf(map, name) === device);

/** As maps that put them apart fail on torch's fake tensors (bench/planner/run_on_fake_card.py --two-cards). */
describe('on two GPUs', () => {
  it.each([
    ['the biases that LayoutLMv3 hands to its layers are where its boxes are', LAYOUT, 'encoder.layer'],
    ["BioGPT's tokens and positions, which it adds up, are together", BIOGPT, 'biogpt.layers'],
    ["the first GPT's as well, which has nothing else beside its layers", GPT, 'transformer.h'],
  ])('%s', (_, file, list) => {
    const pins = new Map([0, 1, 2, 3].map((i) => [`${list}.${i}`, i % 2]));
    const map = mapOf(file, pins);
    const others = file.modules.filter((name) => !name.startsWith(`${list}.`));
    expect(modulesOn(map, 0, file)).toEqual(expect.arrayContaining(others));
    expect(modulesOn(map, 1, file)).toEqual(file.modules.filter((name) => /\.[13]\./.test(name)));
  });

  it('no list member is cut, whatever the list is called, and no module that adds up what its own make', () => {
    const map = mapOf(
      ALBERT,
      new Map([
        ['encoder.albert_layer_groups.0', 1],
        ['embeddings', 0],
      ]),
    );
    expect([...map.keys()].filter((key) => /embeddings|groups/.test(key))).toEqual([
      'embeddings',
      'encoder.albert_layer_groups',
    ]);
    expect(modulesOn(map, 0, ALBERT)).toEqual(ALBERT.modules.filter((name) => !name.includes('groups')));
  });

  it('a second card makes no plan slower: one may run parts of what both could not share', () => {
    const side = 2048;
    const tensors = new Map(
      [...tensorsOf(ALBERT).keys()].map((name): [string, TensorInfo] => [name, { dtype: 'F16', shape: [side, side] }]),
    );
    // Room for some of the layer on either card, and for all of it on none.
    const bytes = 60_000_000;
    const [one, two] = [1, 2].map((cards) => {
      const gpus = new Map(Array.from({ length: cards }, (_, gpu) => [gpu, bytes]));
      const budgets = { gpus, ramBytes: null, diskBytes: 0 };
      const machine = {
        gpus: [UNKNOWN_GPU],
        host: { ...UNKNOWN_HOST, memoryBytesPerSecond: 1e9, flopsPerSecond: 1e9 },
      };
      const result = planDeviceMap(tensors, {
        config: ALBERT.config,
        models,
        engine: 'transformers',
        machine,
        budgets,
      });
      if (result.status !== 'fits') throw new Error(result.status);
      return result.plan;
    });
    expect(one?.cost.streamedBytesPerCall).toBeGreaterThan(0);
    expect(one?.device_map).not.toHaveProperty(['encoder.albert_layer_groups']);
    expect(two?.cost.latencyMs).toBe(one?.cost.latencyMs);
    expect(two?.solver.status).toBe('optimal');
    expect(two?.device_map).toEqual(one?.device_map);
  });

  it('a map for one of them is explained as its plan was made', () => {
    const side = 1024;
    const tensors = new Map(
      [...tensorsOf(LAYOUT).keys()].map((name): [string, TensorInfo] => [name, { dtype: 'F16', shape: [side, side] }]),
    );
    const machine = { gpus: [UNKNOWN_GPU], host: { ...UNKNOWN_HOST, memoryBytesPerSecond: 1e9, flopsPerSecond: 1e9 } };
    const gpuBytes = 56_000_000;
    const budgets = { gpus: new Map([[0, gpuBytes]]), ramBytes: null, diskBytes: 0 };
    const options: PlanOptions = { config: LAYOUT.config, models, engine: 'transformers', machine, budgets };
    const planned = planDeviceMap(tensors, options);
    if (planned.status !== 'fits') throw new Error(planned.status);
    const two = { ...budgets, gpus: new Map([0, 1].map((gpu) => [gpu, gpuBytes])) };
    const explained = explainMap(planned.map, tensors, { ...options, budgets: two });
    expect(planned.plan.cost.streamedBytesPerCall).toBeGreaterThan(0);
    expect([...planned.map.keys()]).toContainEqual(expect.stringMatching(/^encoder\.layer\.\d+\./));
    expect(explained.overBudget).toEqual([]);
    expect(explained.plan?.cost).toEqual(planned.plan.cost);
  });

  it('modules that are called one after another may be anywhere', () => {
    const map = mapOf(
      LLAMA,
      new Map<string, Device>([
        ['model.embed_tokens', 0],
        ['model.norm', 1],
        ['lm_head', 1],
      ]),
    );
    expect(deviceOf(map, 'lm_head')).toBe(1);
  });

  it('a class that adds up what its layers make is on one', () => {
    const file = {
      config: { architectures: ['NeoMMEForMaskedLM'], model_type: 'neo_mme' },
      modules: ['model.embed_tokens', ...layers('model.layers', ['q_proj', 'o_proj'])],
    };
    const pins = new Map([
      ['model.layers.0', 0],
      ['model.layers.1', 1],
    ]);
    expect(() => mapOf(file, pins)).toThrow('model.layers.1 cannot be on GPU 1 beside GPU 0');
  });

  it('pins that would part the model from its code are refused', () => {
    const pins = new Map([
      ['encoder.layer', 0],
      ['encoder.rel_pos_bias', 1],
    ]);
    expect(() => mapOf(LAYOUT, pins)).toThrow('encoder.rel_pos_bias cannot be on GPU 1 beside GPU 0');
    const positions = new Map([
      ['biogpt.layers', 0],
      ['biogpt.embed_positions', 1],
    ]);
    expect(() => mapOf(BIOGPT, positions)).toThrow('biogpt.embed_positions cannot be on GPU 1 beside GPU 0');
    expect(modulesOn(mapOf(LAYOUT, new Map([['encoder.rel_pos_bias', 1]])), 0, LAYOUT)).toEqual([]);
  });

  it('a map that was not planned is read as it is, and what may fail of it is said', () => {
    const map = new Map<string, Device>([...ALBERT.modules.map((name): [string, Device] => [name, 0]), ['pooler', 1]]);
    const budgets = { gpus: new Map(), ramBytes: null, diskBytes: 0 };
    const options: PlanOptions = { config: ALBERT.config, models, engine: 'transformers', budgets };
    const { issues, plan } = explainMap(map, tensorsOf(ALBERT), options);
    expect(issues).toEqual([]);
    expect(plan?.warnings).toContainEqual(
      expect.stringMatching(/^pooler is on another GPU than 0, which runs the model's own code/),
    );
    const together = explainMap(new Map([...map, ['pooler', 0]]), tensorsOf(ALBERT), options);
    expect(together.plan?.warnings.filter((said) => said.includes('another GPU'))).toEqual([]);
  });
});
