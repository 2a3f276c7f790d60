/** LLaMA's decoder: pre-norm with RMS norms, rotary positions, gated feed-forward. It reads what OPT's decoder reads. */
import type { Block } from '../../model/blocks.js';
import type { LlamaConfig } from '../../model/llama-config.js';
import type { Value } from '../onnx/graph-builder.js';
import { linear } from './linear-product.js';
import { Module } from './module.js';
import { selfAttention } from './self-attention.js';
import type { StageBuilder } from './stage-builder.js';
import { tokenTable } from './vocabulary.js';
import { textConfigOf } from './wires.js';

export function lowerLlamaTokens(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const text = module.node('Gather', [tokenTable(stage), stage.use('input_ids')]);
  const tokens = module.node('Concat', [stage.use('prefix'), text], { axis: { int: 1 } });
  stage.make('hidden', module.reshape(tokens, [-1, llamaConfig(stage).hiddenSize]));
}

export function lowerLlamaLayer(stage: StageBuilder, block: Block): void {
  const { rmsNormEps, activation, heads, headSize } = llamaConfig(stage);
  const module = new Module(stage, block.name);
  const x = stage.use('hidden');
  const attended = module.add(
    x,
    selfAttention(module.child('self_attn'), block.index, module.child('input_layernorm').rmsNorm(x, rmsNormEps), {
      heads,
      headSize,
      output: 'o_proj',
      turn: rotate,
    }),
  );

  const normed = module.child('post_attention_layernorm').rmsNorm(attended, rmsNormEps);
  const mlp = module.child('mlp');
  const gate = mlp.activation(linear(mlp.child('gate_proj'), normed), activation);
  const inner = mlp.node('Mul', [gate, linear(mlp.child('up_proj'), normed)]);
  stage.make('hidden', module.add(attended, linear(mlp.child('down_proj'), inner)));
}

/** Turns the two halves of each head against each other by angles that grow with the position. */
function rotate(module: Module, x: Value): Value {
  const { stage } = module;
  const { heads } = llamaConfig(stage);
  const operands = [x, stage.use('positions'), rotaryTable(stage, 'cos'), rotaryTable(stage, 'sin')];
  return module.fused('RotaryEmbedding', operands, { num_heads: { int: heads }, interleaved: { int: 0 } });
}

function rotaryTable(stage: StageBuilder, kind: 'cos' | 'sin'): Value {
  const config = llamaConfig(stage);
  return stage.once(`rotary ${kind}`, () =>
    stage.graph.constant(
      `rotary.${kind}`,
      'F32',
      [config.maxPositions, config.headSize / 2],
      rotaryAngles(config, kind),
    ),
  );
}

/** Cosines or sines of every position's angles, `[maxPositions, headSize / 2]`, angles in float32 as in transformers. */
export function rotaryAngles({ maxPositions, headSize, ropeTheta }: LlamaConfig, kind: 'cos' | 'sin'): Float32Array {
  const half = headSize / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) => 1 / Math.fround(ropeTheta ** (i / half)));
  return Float32Array.from({ length: maxPositions * half }, (_, at) =>
    Math[kind](Math.fround(Math.floor(at / half) * (frequencies[at % half] ?? 0))),
  );
}

export function lowerLlamaNorm(stage: StageBuilder, block: Block): void {
  stage.make('hidden', new Module(stage, block.name).rmsNorm(stage.use('hidden'), llamaConfig(stage).rmsNormEps));
}

const llamaConfig = (stage: StageBuilder): LlamaConfig => textConfigOf(stage.config, 'llama');
