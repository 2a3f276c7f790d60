import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { deviceOf, type Device } from '../../map/device-map.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { explainMap } from '../../plan/comparison/explain-map.js';
import { planDeviceMap } from '../../plan/plan-device-map.js';

const models = await loadModelTable();

const WIDTH = 64;
const tensorsOf = (rows: Readonly<Record<string, readonly number[]>>): Map<string, TensorInfo> =>
  new Map(Object.entries(rows).map(([name, shape]) => [name, { dtype: 'F32', shape }]));

const linear = (name: string, out = WIDTH, width = WIDTH): Record<string, readonly number[]> => ({
  [`${name}.weight`]: [out, width],
  [`${name}.bias`]: [out],
});
const norm = (name: string): Record<string, readonly number[]> => ({
  [`${name}.weight`]: [WIDTH],
  [`${name}.bias`]: [WIDTH],
});
const layers = (of: (i: number) => Record<string, readonly number[]>) => Object.assign({}, ...[0, 1].map(of)) as object;

const bertLayer = (i: number) => {
  const at = `encoder.layer.${i}`;
  return {
    ...linear(`${at}.attention.self.query`),
    ...linear(`${at}.attention.self.key`),
    ...linear(`${at}.attention.self.value`),
    ...linear(`${at}.attention.output.dense`),
    ...norm(`${at}.attention.output.LayerNorm`),
    ...linear(`${at}.intermediate.dense`),
    ...linear(`${at}.output.dense`),
    ...norm(`${at}.output.LayerNorm`),
  };
};
const bert = tensorsOf({
  'embeddings.word_embeddings.weight': [512, WIDTH],
  'embeddings.position_embeddings.weight': [512, WIDTH],
  'embeddings.token_type_embeddings.weight': [2, WIDTH],
  ...norm('embeddings.LayerNorm'),
  ...layers(bertLayer),
});
const pooler = tensorsOf(linear('pooler.dense'));

const marianLayer = (at: string, isDecoder: boolean) => {
  const attention = (name: string) => ({
    ...linear(`${at}.${name}.q_proj`),
    ...linear(`${at}.${name}.k_proj`),
    ...linear(`${at}.${name}.v_proj`),
    ...linear(`${at}.${name}.out_proj`),
    ...norm(`${at}.${name}_layer_norm`),
  });
  return {
    ...attention('self_attn'),
    ...(isDecoder ? attention('encoder_attn') : {}),
    ...linear(`${at}.fc1`),
    ...linear(`${at}.fc2`),
    ...norm(`${at}.final_layer_norm`),
  };
};
/** As `save_pretrained` writes it: `_keys_to_ignore_on_save` names the tables of positions. */
const marian = tensorsOf({
  final_logits_bias: [1, 512],
  'model.shared.weight': [512, WIDTH],
  ...layers((i) => marianLayer(`model.encoder.layers.${i}`, false)),
  ...layers((i) => marianLayer(`model.decoder.layers.${i}`, true)),
});

const configOf = (architecture: string, type: string) => ({ architectures: [architecture], model_type: type });
const optionsOf = (config: object) =>
  ({
    config,
    models,
    engine: 'transformers',
    dtype: 'float32',
    budgets: { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 0 },
  }) as const;
const planned = (tensors: ReadonlyMap<string, TensorInfo>, config: object, pins: readonly [string, Device][]) => {
  const result = planDeviceMap(tensors, { ...optionsOf(config), pins: new Map(pins) });
  if (result.status !== 'fits') throw new Error('there is room');
  return result;
};

/** The parameters for which transformers 5.24 refuses a map of other keys: "does not give any device for the following parameters". */
const CASES = [
  ['BertModel', 'bert', bert, ['pooler.dense.weight', 'pooler.dense.bias'], 'encoder.layer.1'],
  [
    'MarianMTModel',
    'marian',
    marian,
    ['model.encoder.embed_positions.weight', 'model.decoder.embed_positions.weight'],
    'model.decoder.layers.1',
  ],
] as const;

describe('what a class has and no file holds', () => {
  it.each(CASES)(
    '%s: has keys, on the GPU that runs what is beside it',
    (architecture, type, tensors, lacking, layer) => {
      const config = configOf(architecture, type);
      const { map, plan } = planned(tensors, config, [
        ['', 0],
        [layer, 'cpu'],
      ]);
      expect(deviceOf(map, [...tensors.keys()].find((name) => name.startsWith(layer)) ?? '')).toBe('cpu');
      expect(lacking.map((name) => deviceOf(map, name))).toEqual([0, 0]);
      expect(plan.assumptions.filter((text) => text.startsWith('No file holds'))).toHaveLength(1);
      expect(explainMap(map, tensors, optionsOf(config)).issues).toEqual([]);
    },
  );

  it('a map without such keys is said to be refused', () => {
    const config = configOf('MarianMTModel', 'marian');
    const map = new Map<string, Device>([
      ['final_logits_bias', 0],
      ['model.shared', 0],
      ['model.encoder.embed_tokens', 0],
      ['model.decoder.embed_tokens', 0],
      ['lm_head', 0],
      ['model.encoder.layers', 0],
      ['model.decoder.layers', 'cpu'],
    ]);
    const said = (given: ReadonlyMap<string, Device>) =>
      explainMap(given, marian, optionsOf(config)).plan?.warnings.filter((text) => text.startsWith('No key covers'));
    expect(said(map)).toEqual([
      expect.stringMatching(
        /^No key covers model\.encoder\.embed_positions, model\.decoder\.embed_positions, .* refuses the map\. Add /,
      ),
    ]);
    const positions = ['encoder', 'decoder'].map((part) => [`model.${part}.embed_positions`, 0] as const);
    expect(said(new Map([...map, ...positions]))).toEqual([]);
  });

  it('a map without a key for a pooler leaves a block without a device', () => {
    const config = configOf('BertModel', 'bert');
    const map = new Map<string, Device>([
      ['embeddings', 0],
      ['encoder', 'cpu'],
    ]);
    const { issues, plan } = explainMap(map, bert, optionsOf(config));
    expect(plan).toBeNull();
    expect(issues.map(({ message }) => message).join()).toContain('pooler');
    expect(explainMap(new Map([...map, ['pooler', 0]]), bert, optionsOf(config)).issues).toEqual([]);
  });

  it('a head of its own that is not there is said to be made', () => {
    const llama = tensorsOf({
      'model.embed_tokens.weight': [512, WIDTH],
      ...layers((i) => linear(`model.layers.${i}.mlp.up_proj`)),
      'model.norm.weight': [WIDTH],
    });
    const said = (isTied: boolean) => {
      const config = { ...configOf('LlamaForCausalLM', 'llama'), tie_word_embeddings: isTied };
      return planned(llama, config, [['', 0]]).plan.assumptions.join('\n');
    };
    expect(said(false)).toContain('No file holds lm_head.weight of LlamaForCausalLM');
    expect(said(true)).not.toContain('No file holds');
  });

  it('nothing is said of files that hold all', () => {
    const { plan } = planned(new Map([...bert, ...pooler]), configOf('BertModel', 'bert'), [
      ['', 0],
      ['encoder.layer.1', 'cpu'],
    ]);
    expect(plan.assumptions.filter((text) => text.startsWith('No file holds'))).toEqual([]);
  });
});
