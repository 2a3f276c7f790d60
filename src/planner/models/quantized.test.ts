import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isDtype } from '../../tensor/dtype.js';
import { tensorBytes, type TensorInfo } from '../../tensor/tensor-info.js';
import type { Device } from '../map/device-map.js';
import { explainMap } from '../plan/comparison/explain-map.js';
import { planDeviceMap } from '../plan/plan-device-map.js';
import { type PlanDocument, parsePlan } from '../plan/document/plan-document.js';
import { transformersStrategy } from '../plan/comparison/transformers-strategy.js';
import { UNKNOWN_HOST } from '../price/known-devices.js';
import { pythonSnippet } from '../report/python-snippet.js';
import { loadModelTable } from './load-model-table.js';

/** What their libraries make of tiny checkpoints once they are loaded, recorded by test/fixtures/planner/record_quantized.py. */
const recorded = z
  .object({
    methods: z.array(
      z.object({
        method: z.string(),
        config: z.record(z.string(), z.unknown()),
        file: z.record(z.string(), z.tuple([z.string()]).rest(z.number())),
        /** Block -> bytes. */
        loaded: z.record(z.string(), z.number()),
        /** Bytes of all after a call, where nothing is asked for when it is loaded; null where no CPU can run it. */
        called: z.number().nullable(),
        refused: z.record(z.enum(['cpu', 'disk']), z.string().nullable()),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../test/fixtures/planner/quantized.json', import.meta.url), 'utf8')));

const models = await loadModelTable();
const rows = recorded.methods.map(({ file, ...row }) => ({
  ...row,
  tensors: new Map(
    Object.entries(file).map(([name, [dtype, ...shape]]) => {
      if (!isDtype(dtype)) throw new Error(dtype);
      return [name, { dtype, shape }];
    }),
  ),
}));
const ON_GPUS_ALONE = /^(gptq|awq|bitsandbytes)/;

type Row = (typeof rows)[number];
const optionsOf = ({ config }: Pick<Row, 'config'>) =>
  ({
    config,
    models,
    engine: 'transformers',
    budgets: { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 2 ** 30 },
  }) as const;
const pinned = (row: Pick<Row, 'config' | 'tensors'>, pins: [string, Device][]) =>
  planDeviceMap(row.tensors, { ...optionsOf(row), pins: new Map(pins) });

describe('quantised checkpoints', () => {
  it.each(rows)('$method: bytes of every device are within 1 % of those that are loaded', (row) => {
    const store = ON_GPUS_ALONE.test(row.method) ? 0 : 'cpu';
    const result = pinned(row, [
      ['', 0],
      ['model.layers.1', store],
    ]);
    if (result.status !== 'fits') throw new Error('there is room');
    for (const { id, weightBytes } of result.plan.devices) {
      const mine = Object.entries(row.loaded).filter(([block]) => (block === 'model.layers.1' ? store : 0) === id);
      const loadedBytes = mine.reduce((sum, [, bytes]) => sum + bytes, 0);
      expect(Math.abs(weightBytes - loadedBytes)).toBeLessThanOrEqual(0.01 * loadedBytes);
    }
  });

  it.each(rows.filter(({ called }) => called !== null))(
    '$method: does not grow beyond the plan in its first call',
    (row) => {
      const result = pinned(row, [['', 0]]);
      if (result.status !== 'fits') throw new Error('there is room');
      const planned = result.plan.devices.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
      // Without dequantize=True compressed-tensors keeps the scales beside the floats.
      expect(row.called).toBeLessThanOrEqual((row.method.startsWith('compressed-tensors') ? 1.06 : 1.01) * planned);
    },
  );

  it.each(rows.filter(({ method }) => method.startsWith('compressed-tensors')))(
    '$method: is stored for other loaders, and Python for transformers makes floats of it',
    (row) => {
      const options = optionsOf(row);
      const result = planDeviceMap(row.tensors, options);
      const stored = planDeviceMap(row.tensors, { ...options, names: 'file' });
      if (result.status !== 'fits' || stored.status !== 'fits') throw new Error('there is room');
      expect(pythonSnippet(result.plan)).toContain('quantization_config=CompressedTensorsConfig(dequantize=True),');
      expect(parsePlan(JSON.parse(JSON.stringify(result.plan)))).toEqual(result.plan);
      const bytesOf = ({ devices }: PlanDocument) => devices.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
      const inFile = [...row.tensors.values()].reduce((sum, info) => sum + tensorBytes(info), 0);
      expect(bytesOf(stored.plan)).toBe(inFile);
      expect(bytesOf(result.plan)).toBeGreaterThan(1.8 * inFile);
      const strategy = { tensors: row.tensors, config: row.config, models, budgets: options.budgets } as const;
      const map = transformersStrategy({ ...strategy, dtype: 'bfloat16', strategy: 'balanced' });
      expect(explainMap(map, row.tensors, options).issues).toEqual([]);
    },
  );

  it('may say so of their language model alone', () => {
    const row = rows.find(({ method }) => method === 'compressed-tensors, w4a16');
    if (row === undefined) throw new Error('recorded');
    const { quantization_config: quantization, ...config } = row.config;
    const nested = { ...config, text_config: { ...config, quantization_config: quantization } };
    const [plain, inText] = [row.config, nested].map((each) => planDeviceMap(row.tensors, optionsOf({ config: each })));
    if (plain?.status !== 'fits' || inText?.status !== 'fits') throw new Error('there is room');
    expect(inText.plan.devices).toEqual(plain.plan.devices);
  });

  it('of a kind that transformers does not know are warned of', () => {
    const [row] = rows;
    if (row === undefined) throw new Error('recorded');
    const config = { ...row.config, quantization_config: { quant_method: 'modelopt', quant_algo: 'FP8' } };
    const result = planDeviceMap(row.tensors, optionsOf({ config }));
    if (result.status !== 'fits') throw new Error('there is room');
    expect(result.plan.warnings.join()).toContain('transformers does not know quantisation by modelopt');
  });

  it.each(rows)('$method: what a loader refuses is refused', (row) => {
    for (const store of ['cpu', 'disk'] as const) {
      const pin = () =>
        pinned(row, [
          ['', 0],
          ['model.layers.0', store],
        ]);
      const method = row.method.replace(/,.*/, '');
      if (row.refused[store] === null && !ON_GPUS_ALONE.test(row.method)) expect(pin().status).toBe('fits');
      else
        expect(pin).toThrow(
          expect.objectContaining({ code: 'PIN_IMPOSSIBLE', message: expect.stringContaining(method) as unknown }),
        );
    }
  });

  it.each(rows.filter(({ method }) => ON_GPUS_ALONE.test(method)))(
    '$method: a map with a layer off the GPU is explained',
    (row) => {
      const { issues } = explainMap(
        new Map<string, Device>([
          ['', 0],
          ['model.layers.0', 'cpu'],
        ]),
        row.tensors,
        optionsOf(row),
      );
      expect(issues.map(({ code }) => code)).toContain('MAP_NOT_ON_GPU');
    },
  );

  it('is explained for GPUs that nobody has described', () => {
    const [row] = rows;
    if (row === undefined) throw new Error('recorded');
    const machine = { gpus: [], host: UNKNOWN_HOST };
    const options = {
      ...optionsOf(row),
      budgets: { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 },
      machine,
    };
    expect(explainMap(new Map([['', 0]]), row.tensors, options).plan?.warnings.join()).toContain('GPU 0 has no budget');
  });
});

describe('compression_config, which transformers 5.24 does not read', () => {
  /** A LLaMA of one layer, 32 wide; its four-bit weights packed, or eight-bit floats. */
  const layer = (name: string, height: number, columns: number, isPacked: boolean): [string, TensorInfo][] => [
    isPacked
      ? [`${name}.weight_packed`, { dtype: 'I32', shape: [height, columns / 8] }]
      : [`${name}.weight`, { dtype: 'F8_E4M3', shape: [height, columns] }],
    [`${name}.weight_scale`, { dtype: 'BF16', shape: [height, 1] }],
    ...(isPacked ? [[`${name}.weight_shape`, { dtype: 'I64', shape: [2] }] as [string, TensorInfo]] : []),
  ];
  const fileOf = (isPacked: boolean) =>
    new Map<string, TensorInfo>([
      ['model.embed_tokens.weight', { dtype: 'BF16', shape: [64, 32] }],
      ['model.norm.weight', { dtype: 'BF16', shape: [32] }],
      ['lm_head.weight', { dtype: 'BF16', shape: [64, 32] }],
      ...['input_layernorm', 'post_attention_layernorm'].map((norm): [string, TensorInfo] => [
        `model.layers.0.${norm}.weight`,
        { dtype: 'BF16', shape: [32] },
      ]),
      ...['q', 'k', 'v', 'o'].flatMap((each) => layer(`model.layers.0.self_attn.${each}_proj`, 32, 32, isPacked)),
      ...['gate', 'up'].flatMap((each) => layer(`model.layers.0.mlp.${each}_proj`, 64, 32, isPacked)),
      ...layer('model.layers.0.mlp.down_proj', 32, 64, isPacked),
    ]);
  const base = { architectures: ['LlamaForCausalLM'], model_type: 'llama', num_hidden_layers: 1, dtype: 'bfloat16' };
  const described = {
    quant_method: 'compressed-tensors',
    config_groups: { group_0: { targets: ['Linear'], weights: { num_bits: 4, type: 'int' } } },
  };
  const planned = (isPacked: boolean, own: object, names: 'loaded' | 'file' = 'loaded') => {
    const result = planDeviceMap(fileOf(isPacked), { ...optionsOf({ config: { ...base, ...own } }), names });
    if (result.status !== 'fits') throw new Error('there is room');
    return result.plan;
  };
  const bytesOf = ({ devices }: PlanDocument) => devices.reduce((sum, { weightBytes }) => sum + weightBytes, 0);

  it.each([true, false])(
    'is warned of, with the floats that from_pretrained makes counted (packed: %s)',
    (isPacked) => {
      const plan = planned(isPacked, { compression_config: described });
      // from_pretrained(dtype="auto") of such files: parameters of 28,864 bytes.
      expect(bytesOf(plan)).toBe(28_864);
      expect(plan.warnings.join()).toContain('Rename the field of config.json to quantization_config.');
      expect(pythonSnippet(plan)).not.toContain('dequantize');
      expect(planned(isPacked, { quantization_config: described }).warnings.join()).not.toContain('Rename');
    },
  );

  it('is read by other loaders, and does not matter where weights are only sparse', () => {
    const stored = [...fileOf(true).values()].reduce((sum, info) => sum + tensorBytes(info), 0);
    expect(bytesOf(planned(true, { compression_config: described }, 'file'))).toBe(stored);
    const sparse = planned(false, { compression_config: { format: 'dense', sparsity_config: {} } });
    expect(sparse.warnings.join()).not.toContain('Rename');
  });
});
