import { expect, it } from 'vitest';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { loadModelTable } from '../models/load-model-table.js';
import { explainMap } from '../plan/comparison/explain-map.js';
import type { Device } from './device-map.js';
import { inFileNames, inLoadedNames } from './file-names.js';

const names = new Map([
  ['model.language_model.norm.weight', ['language_model.model.norm.weight']],
  ['lm_head.weight', ['language_model.lm_head.weight']],
  ['model.projector.weight', ['projector.weight']],
]);

it('is in loaded names what it is in those of the file, and back', () => {
  const given = new Map<string, Device>([
    ['language_model', 0],
    ['projector', 'cpu'],
  ]);
  const loaded = new Map<string, Device>([
    ['model.language_model', 0],
    ['lm_head', 0],
    ['model.projector', 'cpu'],
  ]);
  expect(inLoadedNames(given, names).get('lm_head')).toBe(0);
  expect(inFileNames(loaded, names)).toEqual(given);
});

it('has no device for what a map leaves out, whatever stands beside it', () => {
  expect(inLoadedNames(new Map([['language_model.model', 0]]), names)).toEqual(new Map([['model.language_model', 0]]));
  expect(inFileNames(new Map([['lm_head', 'cpu']]), names)).toEqual(new Map([['language_model.lm_head', 'cpu']]));
});

const linear: TensorInfo = { dtype: 'F16', shape: [64, 64] };
const EXPERTS = [0, 1, 2, 3].map((i) => `model.layers.0.block_sparse_moe.experts.${i}`);
const tensors = new Map(
  [
    'model.embed_tokens',
    'model.layers.0.self_attn.q_proj',
    'model.layers.0.block_sparse_moe.gate',
    ...EXPERTS.flatMap((expert) => ['w1', 'w2', 'w3'].map((part) => `${expert}.${part}`)),
    'model.norm',
    'lm_head',
  ].map((name): [string, TensorInfo] => [`${name}.weight`, linear]),
);

it('says what a map in the names of a file leaves out, and what it places apart that is one once it is loaded', async () => {
  const options = {
    config: { architectures: ['MixtralForCausalLM'], model_type: 'mixtral', num_hidden_layers: 1 },
    models: await loadModelTable(),
    budgets: { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 0 },
    names: 'file',
  } as const;
  const issuesOf = (map: Record<string, Device>, engine: 'transformers' | 'blip2-run') =>
    explainMap(new Map(Object.entries(map)), tensors, { ...options, engine }).issues;
  const [missing] = issuesOf({ 'model.embed_tokens': 0, 'model.layers': 0, lm_head: 0 }, 'transformers');
  expect(missing?.code).toBe('MAP_UNCOVERED');
  const apart = { '': 0, [EXPERTS[2] ?? '']: 'cpu' } as const;
  const cut = issuesOf(apart, 'transformers').filter(({ code }) => code === 'MAP_BLOCK_CUT');
  expect(cut.map(({ message }) => message).join('\n')).toContain('made of several tensors of the file');
  // A loader that fetches experts one by one.
  expect(issuesOf(apart, 'blip2-run')).toEqual([]);
});
