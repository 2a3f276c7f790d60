import { describe, expect, it } from 'vitest';
import type { Device } from '../../map/device-map.js';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { explainMap } from './explain-map.js';

/**
 * What maps come to where at most one GPU runs, as transformers 5.24 and accelerate 1.15 had it: tiny models loaded by these maps, with the CPU as
 * the GPU and a store of its own as host memory, their outputs beside those without a map.
 */
const models = await loadModelTable();
const WIDTH = 64;
const linear: TensorInfo = { dtype: 'F16', shape: [WIDTH, WIDTH] };
const BYTES = 2 * WIDTH * WIDTH;
const PARTS = ['self_attn.q_proj', 'self_attn.k_proj', 'mlp.up_proj', 'mlp.down_proj'];
const file = (...names: string[]) => new Map(names.map((name): [string, TensorInfo] => [`${name}.weight`, linear]));
const layers = [0, 1].flatMap((i) => PARTS.map((part) => `model.layers.${i}.${part}`));

function explained(map: Record<string, Device>, isTied = false) {
  const tensors = file('model.embed_tokens', ...layers, 'model.norm', ...(isTied ? [] : ['lm_head']));
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    num_hidden_layers: 2,
    tie_word_embeddings: isTied,
  };
  const budgets = { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 0 };
  const options = { config, models, engine: 'transformers', budgets } as const;
  const { issues, plan } = explainMap(new Map(Object.entries(map)), tensors, options);
  const weights = new Map(plan?.devices.map(({ id, weightBytes }) => [id, weightBytes / BYTES]));
  return { issues: issues.map(({ code }) => code), plan, weights };
}

const rest = { 'model.embed_tokens': 0, 'model.norm': 0, lm_head: 0 };

describe('a map that cuts layers', () => {
  it('runs on one GPU, and has its bytes part by part', () => {
    const { issues, plan, weights } = explained({
      ...rest,
      'model.layers.0': 'cpu',
      'model.layers.1.self_attn.q_proj': 0,
      'model.layers.1.self_attn.k_proj': 'cpu',
      'model.layers.1.mlp.up_proj': 'disk',
      'model.layers.1.mlp.down_proj': 'cpu',
    });
    expect(issues).toEqual([]);
    expect(weights).toEqual(
      new Map<Device, number>([
        [0, 4],
        ['cpu', 6],
        ['disk', 1],
      ]),
    );
    expect(plan?.cost.streamedBytesPerToken).toBe(7 * BYTES);
  });

  it('runs on the CPU, from memory and from disk', () => {
    const { issues, weights } = explained({
      'model.embed_tokens': 'cpu',
      'model.norm': 'cpu',
      lm_head: 'cpu',
      'model.layers.0': 'disk',
      'model.layers.1.self_attn': 'disk',
      'model.layers.1.mlp': 'cpu',
    });
    expect(issues).toEqual([]);
    expect(weights.get('disk')).toBe(6);
  });

  it('runs where parts of layers are all that is on the GPU: what else there is streams there', () => {
    const { issues, plan, weights } = explained({
      'model.embed_tokens': 'cpu',
      'model.norm': 'cpu',
      lm_head: 'cpu',
      ...Object.fromEntries(layers.map((name) => [name, name.endsWith('q_proj') ? 0 : 'cpu'])),
    });
    expect(issues).toEqual([]);
    expect(weights.get(0)).toBe(2);
    expect(plan?.placements.map(({ runsOn }) => runsOn)).toEqual(plan?.placements.map(() => 0));
    expect(plan?.warnings.join('\n')).not.toContain('not used');
  });

  it('fails on two', () => {
    const { issues } = explained({ ...rest, 'model.layers': 0, 'model.layers.1.mlp': 1 });
    expect(issues).toEqual(['MAP_BLOCK_CUT']);
  });
});

describe('a tie', () => {
  const others = { 'model.layers': 'cpu', 'model.norm': 'cpu' } as const;

  it.each<Record<string, Device>>([
    { 'model.embed_tokens': 'cpu', lm_head: 0 },
    { 'model.embed_tokens': 0, lm_head: 'cpu' },
  ])('%j is on the GPU for both', (map) => {
    const { issues, plan, weights } = explained({ ...others, ...map }, true);
    expect(issues).toEqual([]);
    expect(weights.get(0)).toBe(1);
    expect(plan?.warnings.join('\n')).toContain('model.embed_tokens and lm_head are one tensor');
  });

  it.each<Record<string, Device>>([
    // ValueError: weight is on the meta device, we need a `value` to put in on cpu.
    { 'model.embed_tokens': 'disk', lm_head: 0 },
    // KeyError: 'lm_head.weight'
    { 'model.embed_tokens': 0, lm_head: 'disk' },
    { 'model.embed_tokens': 0, lm_head: 1 },
  ])('%j fails', (map) => {
    expect(explained({ ...others, ...map }, true).issues).toEqual(['MAP_TIED_APART']);
  });
});

it('says what no hook brings from the disk where the CPU runs as well', () => {
  const heads = ['attention.out_proj', 'layernorm', 'mlp.fc1', 'mlp.fc2'].map((part) => `vision_model.head.${part}`);
  const tensors = file('vision_model.embeddings.patch_embedding', 'vision_model.encoder.layers.0.mlp.fc1', ...heads);
  tensors.set('vision_model.head.attention.in_proj_weight', linear);
  const config = { architectures: ['SiglipVisionModel'], model_type: 'siglip_vision_model', num_hidden_layers: 1 };
  const budgets = { gpus: new Map(), ramBytes: null, diskBytes: 2 ** 30 };
  const codes = (head: Device) =>
    explainMap(
      new Map<string, Device>([
        ['embeddings', 'cpu'],
        ['encoder', 'disk'],
        ['head', head],
      ]),
      tensors,
      { config, models, engine: 'transformers', budgets },
    ).issues.map(({ code }) => code);
  // RuntimeError: Tensor on device meta is not on the expected device cpu!
  expect(codes('disk')).toEqual(['MAP_NOT_ON_GPU']);
  expect(codes('cpu')).toEqual([]);
});

describe('a key of a tensor whose module has none', () => {
  const others = (device: Device) => ({ 'model.embed_tokens': device, 'model.layers': device, lm_head: device });

  it('is a fault where something would have to bring the tensor: hooks are those of modules', () => {
    expect(explained({ ...others('cpu'), 'model.norm.weight': 'disk' }).issues).toEqual(['MAP_NOT_ON_GPU']);
    expect(explained({ ...others('disk'), 'model.norm.weight': 'disk' }).issues).toEqual(['MAP_NOT_ON_GPU']);
    expect(explained({ ...others(0), 'model.norm.weight': 'cpu' }).issues).toEqual(['MAP_NOT_ON_GPU']);
  });

  it('is none where it is there, or its module is in another key', () => {
    expect(explained({ ...others('disk'), 'model.norm.weight': 'cpu' }).issues).toEqual([]);
    expect(explained({ ...others('cpu'), 'model.norm.weight': 0 }).issues).toEqual([]);
    expect(explained({ ...others('cpu'), 'model.norm': 'disk', 'model.norm.weight': 'disk' }).issues).toEqual([]);
  });
});

describe('a key that places nothing of its own', () => {
  const all = { 'model.embed_tokens': 'cpu', 'model.layers': 'cpu', 'model.norm': 'disk' } as const;

  it('may be the weight of a tied module, which has a place then', () => {
    const { issues, weights } = explained({ ...all, 'lm_head.weight': 'cpu' }, true);
    expect(issues).toEqual([]);
    expect(weights.get('cpu')).toBe(9);
    const onDisk = { ...all, 'model.embed_tokens': 'disk' } as const;
    expect(explained({ ...onDisk, 'lm_head.weight': 'disk' }, true).issues).toEqual(['MAP_NOT_ON_GPU']);
    expect(explained({ ...onDisk, lm_head: 'disk' }, true).issues).toEqual([]);
  });

  it('may be a module without weights in a layer, which holds ones that are not known: that is said and no fault', () => {
    const { issues, plan } = explained({ ...all, lm_head: 'cpu', 'model.layers.0.mlp.act_fn': 'disk' });
    expect(issues).toEqual([]);
    expect(plan?.warnings.join()).toContain('has model.layers.0.mlp.act_fn in it: modules without weights, or slips');
  });

  it('is a slip where the class has no such module', () => {
    for (const slip of ['model.nrm', 'model.layers.9.mlp.act_fn', 'model.layers.0.mlp.3', 'model.layer'])
      expect(explained({ ...all, lm_head: 'cpu', [slip]: 'cpu' }).issues).toEqual(['MAP_UNKNOWN_KEY']);
  });
});
