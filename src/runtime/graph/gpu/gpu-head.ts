/** The last rows of a decoder to logits, and to the id of the greatest. */
import type { Block } from '../../../model/blocks.js';
import type { TextConfig } from '../../../model/language-config.js';
import { NOT_FINITE } from '../../generation/not-finite.js';
import { elementType } from '../../onnx/element-type.js';
import type { Value } from '../../onnx/graph-builder.js';
import { Module } from '../module.js';
import type { StageBuilder } from '../stage-builder.js';
import { headTableName } from '../vocabulary.js';
import { textConfig } from '../wires.js';
import { castTo } from './casts.js';
import { namedProduct } from './gpu-product.js';

/** `logits` of the last token in float32, and `next_ids`, the likeliest of each row, or -1 where logits are not finite. */
export function lowerGpuHead(stage: StageBuilder, block: Block): void {
  const text = textConfig(stage.config);
  const module = new Module(stage, block.name);
  const last = module.node('Gather', [stage.use(lastWire(text)), module.graph.int64s([-1])], { axis: { int: 1 } });
  const shape = stage.joinsRows ? module.graph.int64s([-1, 1, text.vocabSize]) : undefined;
  const products = castTo(module, namedProduct(module, last, headTableName(stage), shape), 'F32');
  const logits = perRow(module, products, text.vocabSize);
  const isScaled = text.family === 't5' && text.scaleLogits;
  const scaled = isScaled ? module.node('Mul', [logits, module.graph.float(text.hiddenSize ** -0.5)]) : logits;
  stage.make('logits', scaled);
  const [ids, finite] = stage.forWebGpu ? searched(module, scaled, text.vocabSize) : likeliest(module, scaled);
  const isFinite = module.node('Less', [finite, module.graph.float(Infinity)]);
  stage.make('next_ids', module.node('Where', [isFinite, ids, integer(module, 'none', NOT_FINITE)]));
}

/** What the decoder ends with. */
function lastWire(text: TextConfig): string {
  if (text.family === 't5') return 'decoded';
  return text.family === 'opt' && text.embedSize !== text.hiddenSize ? 'embedded' : 'hidden';
}

/**
 * `[rows, 1, width]` as `[rows, width]`. WebGPU replays kernels alone: what `Reshape` copies into an output would stay as it was when the
 * run was recorded.
 */
function perRow(module: Module, x: Value, width: number): Value {
  if (!module.stage.forWebGpu) return module.reshape(x, [-1, width]);
  return module.node('ReduceSum', [x, module.graph.int64s([1])], { keepdims: { int: 0 } });
}

/**
 * The greatest logit's id and the logit itself: comparing NaN with anything is false, and a device's search for the greatest ends at NaN
 * where there is one.
 */
function likeliest(module: Module, logits: Value): [Value, Value] {
  const greatest = module.node('ArgMax', [logits], { axis: { int: -1 }, keepdims: { int: 1 } });
  const ids = module.node('Cast', [greatest], { to: { int: elementType('I32') } });
  return [ids, module.node('GatherElements', [logits, ids], { axis: { int: -1 } })];
}

/**
 * The same for WebGPU, whose `ArgMax` looks through a row in one thread: 1.9 ms of the 50,272 logits of opt-2.7b on an H200, where
 * other reductions share the work. The first of equals is theirs too. What is finite is the size of a row's sum.
 */
function searched(module: Module, logits: Value, vocabSize: number): [Value, Value] {
  const { graph } = module;
  const overRow = (op: string, x: Value): Value => module.node(op, [x, graph.int64s([-1])], { keepdims: { int: 1 } });
  const isGreatest = module.node('Equal', [logits, overRow('ReduceMax', logits)]);
  const all = graph.constant(
    'ids',
    'I32',
    [1, vocabSize],
    Int32Array.from({ length: vocabSize }, (_, id) => id),
  );
  const greatest = module.node('Where', [isGreatest, all, integer(module, 'behind all', vocabSize)]);
  return [overRow('ReduceMin', greatest), module.node('Abs', [overRow('ReduceSum', logits)])];
}

function integer({ graph }: Module, name: string, value: number): Value {
  return graph.constant(name, 'I32', [], Int32Array.of(value));
}
