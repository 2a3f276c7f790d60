/**
 * OPT's decoder. One graph serves the prompt and every later token: in the prompt `prefix` holds the picture's rows, later
 * it has no rows, and the past has no length in the prompt.
 */
import type { OptConfig } from '../../model/opt-config.js';
import type { Block } from '../../model/blocks.js';
import type { Value } from '../onnx/graph-builder.js';
import { linear } from './linear-product.js';
import { Module } from './module.js';
import { selfAttention } from './self-attention.js';
import type { StageBuilder } from './stage-builder.js';
import { tokenTable } from './vocabulary.js';
import { textConfigOf } from './wires.js';

/** torch's default, which OPT's norms have whatever the configuration says. */
const LAYER_NORM_EPS = 1e-5;

export function lowerOptTokens(stage: StageBuilder, block: Block): void {
  const { embedSize } = optConfig(stage);
  const module = new Module(stage, block.name);
  const text = module.node('Gather', [tokenTable(stage), stage.use('input_ids')]);
  const tokens = module.node('Concat', [prefixRows(module), text], { axis: { int: 1 } });
  stage.make(embedWire(stage), module.reshape(tokens, [-1, embedSize]));
}

/**
 * The picture's rows are as wide as the decoder. Where the token table is narrower, transformers fills the placeholders
 * with the rows' numbers in memory order and drops the rest (`masked_scatter`); so the same is done here.
 */
function prefixRows(module: Module): Value {
  const { hiddenSize, embedSize } = optConfig(module.stage);
  const prefix = module.stage.use('prefix');
  if (embedSize === hiddenSize) return prefix;
  const rows = module.node('Shape', [prefix], { end: { int: 2 } });
  const shape = module.node('Concat', [rows, module.graph.int64s([embedSize])], { axis: { int: 0 } });
  const size = module.node('ReduceProd', [shape, module.graph.int64s([0])], { keepdims: { int: 1 } });
  const flat = module.reshape(prefix, [-1]);
  const taken = module.node('Slice', [flat, module.graph.int64s([0]), size]);
  return module.node('Reshape', [taken, shape], { allowzero: { int: 1 } });
}

export function lowerOptProjectIn(stage: StageBuilder, block: Block): void {
  stage.make('hidden', linear(new Module(stage, block.name), stage.use('embedded')));
}

export function lowerOptProjectOut(stage: StageBuilder, block: Block): void {
  stage.make('embedded', linear(new Module(stage, block.name), stage.use('hidden')));
}

/** Before `project_in` and after `project_out` rows have the token table's width, which is usually the decoder's. */
function embedWire(stage: StageBuilder): 'embedded' | 'hidden' {
  const { hiddenSize, embedSize } = optConfig(stage);
  return embedSize === hiddenSize ? 'hidden' : 'embedded';
}

export function lowerOptPositions(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const rows = module.node('Gather', [module.weight('weight'), module.reshape(stage.use('positions'), [-1])]);
  stage.make('hidden', module.add(stage.use('hidden'), rows));
}

export function lowerOptLayer(stage: StageBuilder, block: Block): void {
  const { hiddenSize, heads, preNorm, activation } = optConfig(stage);
  const module = new Module(stage, block.name);
  const withNorm = (name: string, x: Value, branch: (x: Value) => Value): Value => {
    const norm = (y: Value) => module.child(name).layerNorm(y, hiddenSize, LAYER_NORM_EPS);
    return preNorm ? module.add(x, branch(norm(x))) : norm(module.add(x, branch(x)));
  };
  const attended = withNorm('self_attn_layer_norm', stage.use('hidden'), (x) =>
    selfAttention(module.child('self_attn'), block.index, x, {
      heads,
      headSize: hiddenSize / heads,
      output: 'out_proj',
    }),
  );
  const output = withNorm('final_layer_norm', attended, (x) =>
    linear(module.child('fc2'), module.activation(linear(module.child('fc1'), x), activation)),
  );
  stage.make('hidden', output);
}

export function lowerOptNorm(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  stage.make('hidden', module.layerNorm(stage.use('hidden'), optConfig(stage).hiddenSize, LAYER_NORM_EPS));
}

const optConfig = (stage: StageBuilder): OptConfig => textConfigOf(stage.config, 'opt');
