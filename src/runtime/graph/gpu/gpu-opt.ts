/** OPT's decoder for GPUs: `embedded`, rows of tokens, through its layers. */
import type { Block } from '../../../model/blocks.js';
import type { OptConfig } from '../../../model/opt-config.js';
import type { Value } from '../../onnx/graph-builder.js';
import { Module } from '../module.js';
import type { StageBuilder } from '../stage-builder.js';
import { textConfigOf } from '../wires.js';
import { fusedAttention, fusesAttention, takesOffset, unfusedAttention } from './gpu-attention.js';
import {
  activatedLinear,
  addLinear,
  joinedBias,
  joinedLinear,
  normOf,
  splitInThree,
  unbiasedLinear,
} from './gpu-module.js';
import { product } from './gpu-product.js';

const LAYER_NORM_EPS = 1e-5;

export function lowerGpuOptLayer(stage: StageBuilder, block: Block): void {
  const { hiddenSize, preNorm, activation } = optConfig(stage);
  const module = new Module(stage, block.name);
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
  const text = optConfig(self.stage);
  const { hiddenSize, heads } = text;
  const geometry = { layer, heads, headSize: hiddenSize / heads, scale: (hiddenSize / heads) ** -0.5 };
  const children = ['q_proj', 'k_proj', 'v_proj'];
  const isFused = fusesAttention(self.stage, text);
  const offset = isFused && takesOffset(self.stage, geometry.headSize) ? joinedBias(self, 'qkv', children) : undefined;
  if (offset !== undefined) {
    return fusedAttention(self, unbiasedLinear(self, 'qkv', children, x), geometry, { offset });
  }
  const qkv = joinedLinear(self, 'qkv', children, x);
  if (isFused) return fusedAttention(self, qkv, geometry);
  const [query, key, value] = splitInThree(self, qkv);
  return unfusedAttention(self, { query, key, value }, geometry);
}

export function lowerGpuOptNorm(stage: StageBuilder, block: Block): void {
  stage.make('hidden', normOf(new Module(stage, block.name), 'hidden', optConfig(stage).hiddenSize, LAYER_NORM_EPS));
}

/** Tokens with their positions, which are rows of tables that the host looks up. */
export function lowerGpuOptPositions(stage: StageBuilder, block: Block): void {
  stage.make('hidden', new Module(stage, block.name).add(stage.use('embedded'), stage.use('position_rows')));
}

/** From the token table's width to the decoder's; positions are rows of the latter. */
export function lowerGpuOptProjectIn(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  stage.make('hidden', module.add(product(module, stage.use('embedded')), stage.use('position_rows')));
}

export function lowerGpuOptProjectOut(stage: StageBuilder, block: Block): void {
  stage.make('embedded', product(new Module(stage, block.name), stage.use('hidden')));
}

const optConfig = (stage: StageBuilder): OptConfig => textConfigOf(stage.config, 'opt');
