/**
 * OPT's decoder for GPUs: `hidden` (tokens with their positions) to `logits` and `next_ids`. Keys and values are written
 * into buffers of fixed length that are past and present at once, so no token costs a copy of its cache.
 */
import type { Block } from '../../../model/blocks.js';
import type { OptConfig } from '../../../model/language-config.js';
import type { Value } from '../../onnx/graph-builder.js';
import type { Module } from '../module.js';
import type { StageBuilder } from '../stage-builder.js';
import { headTable } from '../vocabulary.js';
import { pastWire, presentWire, textConfig } from '../wires.js';
import { castTo } from './casts.js';
import { activatedLinear, addLinear, normOf, product } from './gpu-module.js';

const LAYER_NORM_EPS = 1e-5;

export function lowerGpuOptLayer(stage: StageBuilder, block: Block): void {
  const { hiddenSize, preNorm, activation } = optConfig(stage);
  const module = stage.module(block.name);
  const withNorm = (name: string, branch: (x: Value) => void): void => {
    const norm = () => normOf(module.child(name), 'hidden', hiddenSize, LAYER_NORM_EPS);
    if (preNorm) return branch(norm());
    branch(stage.use('hidden'));
    stage.make('hidden', norm());
  };
  withNorm('self_attn_layer_norm', (x) => {
    const self = module.child('self_attn');
    addLinear('hidden', self.child('out_proj'), selfAttention(self, block.index, x));
  });
  withNorm('final_layer_norm', (x) => {
    addLinear('hidden', module.child('fc2'), activatedLinear(module.child('fc1'), x, activation));
  });
}

function selfAttention(self: Module, layer: number, x: Value): Value {
  const { stage } = self;
  const { hiddenSize, heads } = optConfig(stage);
  const qkv = self.child('qkv');
  const parts = (kind: string) => ['q_proj', 'k_proj', 'v_proj'].map((name) => `${self.path}.${name}.${kind}`);
  const weight = stage.joinedWeight(`${qkv.path}.weight`, parts('weight'), [3 * hiddenSize, hiddenSize]);
  const projected = product(qkv, x, weight);
  const biased = stage.weights.expects(`${self.path}.q_proj.bias`)
    ? qkv.add(projected, stage.joinedWeight(`${qkv.path}.bias`, parts('bias'), [3 * hiddenSize]))
    : projected;
  const operands = [
    biased,
    '',
    '',
    stage.use(pastWire(layer, 'key')),
    stage.use(pastWire(layer, 'value')),
    stage.use('seqlens'),
    stage.use('total'),
  ];
  const [output, key, value] = stage.graph.nodes('GroupQueryAttention', operands, [true, true, true], {
    ...self.named('GroupQueryAttention', {
      num_heads: { int: heads },
      kv_num_heads: { int: heads },
      scale: (hiddenSize / heads) ** -0.5,
    }),
    domain: 'com.microsoft',
  });
  stage.make(presentWire(layer, 'key'), key);
  stage.make(presentWire(layer, 'value'), value);
  return output;
}

export function lowerGpuOptNorm(stage: StageBuilder, block: Block): void {
  stage.make('hidden', normOf(stage.module(block.name), 'hidden', optConfig(stage).hiddenSize, LAYER_NORM_EPS));
}

/** Logits of the last token in float32. */
export function lowerGpuHead(stage: StageBuilder, block: Block): void {
  const module = stage.module(block.name);
  const last = module.node('Gather', [stage.use('hidden'), module.graph.int64(-1)], { axis: { int: 1 } });
  stage.make('logits', castTo(module, product(module, last, headTable(stage)), 'F32'));
}

function optConfig(stage: StageBuilder): OptConfig {
  const text = textConfig(stage.config);
  if (text.family !== 'opt') throw new Error('an OPT block in a model that is not OPT');
  return text;
}
