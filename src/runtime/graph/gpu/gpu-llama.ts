/** LLaMA's decoder for GPUs: `hidden`, the tokens, through its layers. */
import type { Block } from '../../../model/blocks.js';
import type { LlamaConfig } from '../../../model/llama-config.js';
import type { Value } from '../../onnx/graph-builder.js';
import { rotaryAngles } from '../llama.js';
import { Module } from '../module.js';
import type { StageBuilder } from '../stage-builder.js';
import { textConfigOf } from '../wires.js';
import { toFloat } from './casts.js';
import { fusedAttention, fusesAttention, unfusedAttention } from './gpu-attention.js';
import { addLinear, joinedLinear, linear, ownNode, rmsNormOf } from './gpu-module.js';

export function lowerGpuLlamaLayer(stage: StageBuilder, block: Block): void {
  const { rmsNormEps } = llamaConfig(stage);
  const module = new Module(stage, block.name);
  const self = module.child('self_attn');
  const x = rmsNormOf(module.child('input_layernorm'), 'hidden', rmsNormEps);
  addLinear('hidden', self.child('o_proj'), selfAttention(self, block.index, x));

  const mlp = module.child('mlp');
  const inner = rmsNormOf(module.child('post_attention_layernorm'), 'hidden', rmsNormEps);
  addLinear('hidden', mlp.child('down_proj'), gated(mlp, inner));
}

function gated(mlp: Module, x: Value): Value {
  const { activation, ffnSize } = llamaConfig(mlp.stage);
  if (mlp.stage.own.mixed && activation === 'silu' && ffnSize % 8 === 0) {
    return ownNode(mlp, 'GatedSilu', [joinedLinear(mlp, 'gate_up_proj', ['gate_proj', 'up_proj'], x)]);
  }
  const gate = mlp.activation(linear(mlp.child('gate_proj'), x), activation);
  return mlp.node('Mul', [gate, linear(mlp.child('up_proj'), x)]);
}

function selfAttention(self: Module, layer: number, x: Value): Value {
  const { stage } = self;
  const text = llamaConfig(stage);
  const { heads, headSize } = text;
  const geometry = { layer, heads, headSize, scale: headSize ** -0.5 };
  const rotary = [rotaryTable(stage, 'cos'), rotaryTable(stage, 'sin')] as const;
  if (fusesAttention(stage, text))
    return fusedAttention(self, joinedLinear(self, 'qkv', ['q_proj', 'k_proj', 'v_proj'], x), geometry, { rotary });
  const positions = stage.once('positions', () => self.reshape(stage.use('cache_positions'), [0, -1]));
  const rotated = (name: string) => {
    const rows = linear(self.child(name), x);
    return self.fused('RotaryEmbedding', [rows, positions, ...rotary], { num_heads: { int: heads } });
  };
  const value = linear(self.child('v_proj'), x);
  return unfusedAttention(self, { query: rotated('q_proj'), key: rotated('k_proj'), value }, geometry);
}

function rotaryTable(stage: StageBuilder, kind: 'cos' | 'sin'): Value {
  const { maxPositions, headSize } = llamaConfig(stage);
  return stage.once(`rotary ${kind}`, () => {
    const table = stage.graph.constant(
      `rotary.${kind}`,
      'F32',
      [maxPositions, headSize / 2],
      rotaryAngles(llamaConfig(stage), kind),
    );
    return toFloat(new Module(stage, 'rotary'), table);
  });
}

export function lowerGpuLlamaNorm(stage: StageBuilder, block: Block): void {
  stage.make('hidden', rmsNormOf(new Module(stage, block.name), 'hidden', llamaConfig(stage).rmsNormEps));
}

const llamaConfig = (stage: StageBuilder): LlamaConfig => textConfigOf(stage.config, 'llama');
