import { describe, expect, it } from 'vitest';
import type { Device } from '../../map/device-map.js';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { explainMap } from './explain-map.js';
import { clashingKeys } from './nested-keys.js';

const linear: TensorInfo = { dtype: 'F32', shape: [64, 64] };
const layers = [0, 1, 2].flatMap((i) => [
  `model.layers.${i}.self_attn.q_proj.weight`,
  `model.layers.${i}.mlp.up_proj.weight`,
]);
const tensors = new Map(
  ['model.embed_tokens.weight', ...layers, 'model.norm.weight', 'lm_head.weight'].map((name) => [name, linear]),
);
const clashing = (map: Record<string, Device>) => clashingKeys(new Map(Object.entries(map)), tensors.keys());

/** What accelerate 1.15 did with a Llama of transformers 5.24, "cpu" as `torch.device` in the place of 0. */
describe('keys inside one another', () => {
  it.each<[Record<string, Device>, string[]]>([
    // ValueError: weight is on the meta device, we need a `value` to put in on cpu.
    [{ model: 'cpu', 'model.layers.1': 0, lm_head: 0 }, ['model.layers.1']],
    [{ model: 'cpu', 'model.layers.1.mlp': 0, lm_head: 0 }, ['model.layers.1.mlp']],
    [{ model: 0, 'model.layers': 'cpu', 'model.layers.1': 0, lm_head: 0 }, ['model.layers.1']],
    [{ model: 'disk', 'model.layers.1': 'cpu', lm_head: 'cpu' }, ['model.layers.1']],
    [{ '': 'cpu', 'model.layers.1': 'disk' }, ['model.layers.1']],
    [{ '': 'disk', 'model.layers.1': 'cpu' }, ['model.layers.1']],
    [{ '': 'cpu', 'model.norm': 0 }, ['']],
    // NotImplementedError: Cannot copy out of meta tensor, in the first call.
    [{ model: 'cpu', 'model.layers.1': 'disk', lm_head: 0 }, ['model.layers.1']],
    // KeyError: 'model.embed_tokens.weight', in the first call.
    [{ '': 'cpu', 'model.rotary_emb': 0 }, ['']],
    // A tensor: meta device as above; NotImplementedError: Cannot copy out of meta tensor; KeyError, in the first call.
    [{ '': 0, 'model.norm.weight': 'disk' }, ['model.norm.weight']],
    [{ model: 'cpu', 'model.norm.weight': 'disk', lm_head: 0 }, ['model.norm.weight']],
    [{ model: 'disk', 'model.norm.weight': 0, lm_head: 0 }, ['model.norm.weight']],
    [{ '': 'disk', 'model.norm.weight': 'cpu' }, ['model.norm.weight']],
    [{ '': 'cpu', 'model.norm.weight': 'disk' }, ['model.norm.weight']],
  ])('%j: those of %j clash', (map, keys) => {
    expect(clashing(map)).toEqual(keys);
  });

  it.each<Record<string, Device>>([
    { '': 0, 'model.layers.1': 'cpu' },
    { model: 'cpu', lm_head: 0 },
    { model: 0, 'model.layers.1': 'cpu', lm_head: 0 },
    { model: 'cpu', 'model.rotary_emb': 0, lm_head: 0 },
    { model: 'cpu', 'model.embed_tokens.weight': 0, lm_head: 0 },
    { model: 'disk', 'model.embed_tokens.weight': 'cpu', lm_head: 0 },
    { '': 0, 'model.norm.weight': 'cpu' },
    { model: 'cpu', 'model.layers.1': 'cpu', lm_head: 0 },
    { '': 0, 'model.layers.1': 1 },
    { '': 'cpu' },
  ])('%j runs', (map) => {
    expect(clashing(map)).toEqual([]);
  });

  it('are an issue of a map for transformers, with the same placement written safely', async () => {
    const options = {
      config: { architectures: ['LlamaForCausalLM'], model_type: 'llama', num_hidden_layers: 3 },
      models: await loadModelTable(),
      engine: 'transformers',
      budgets: { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 0 },
    } as const;
    const map = new Map<string, Device>([
      ['', 'cpu'],
      ['model.layers.1', 0],
    ]);
    const { issues } = explainMap(map, tensors, options);
    expect(issues.map(({ code }) => code)).toEqual(['MAP_KEYS_NESTED']);
    const rewrite = issues.flatMap((issue) => ('rewrite' in issue ? [issue.rewrite] : []))[0] ?? map;
    expect(rewrite.get('model.layers.1')).toBe(0);
    expect(explainMap(rewrite, tensors, options).issues).toEqual([]);
    expect(explainMap(map, tensors, { ...options, engine: 'blip2-run' }).issues).toEqual([]);
  });
});
