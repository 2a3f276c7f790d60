/** Layers that the GPU providers run fastest, over `[batch, tokens, width]`. */
import type { Activation } from '../../../model/config-fields.js';
import type { Attributes } from '../../onnx/attributes.js';
import type { Value } from '../../onnx/graph-builder.js';
import type { Module } from '../module.js';
import { finishesProducts, joinedProduct, product, reluProduct } from './gpu-product.js';

export function bias(module: Module): Value | undefined {
  return module.stage.weights.expects(`${module.path}.bias`) ? module.weight('bias') : undefined;
}

export function linear(module: Module, x: Value): Value {
  const offset = bias(module);
  return product(module, x, offset === undefined ? undefined : { bias: offset, isRelu: false });
}

/** The linear layers `children` of a module as one: their results side by side. */
export function joinedLinear(module: Module, name: string, children: readonly string[], x: Value): Value {
  const offset = joinedBias(module, name, children);
  const finish = offset === undefined ? undefined : { bias: offset, isRelu: false };
  return joinedProduct(module.child(name), x, weightsOf(module, children), undefined, finish);
}

/** The same before their bias is added. */
export const unbiasedLinear = (module: Module, name: string, children: readonly string[], x: Value): Value =>
  joinedProduct(module.child(name), x, weightsOf(module, children));

const weightsOf = ({ path }: Module, children: readonly string[]): string[] =>
  children.map((child) => `${path}.${child}.weight`);

/** Their bias; undefined where they have none. */
export function joinedBias(module: Module, name: string, children: readonly string[]): Value | undefined {
  const { stage } = module;
  const names = children.map((child) => `${module.path}.${child}.bias`);
  if (!names.every((each) => stage.weights.expects(each))) return undefined;
  const width = names.reduce((sum, each) => sum + (stage.weights.get(each).shape[0] ?? 0), 0);
  return stage.joinedWeight(`${module.child(name).path}.bias`, names, [width]);
}

/** An operator of our own. */
export function ownNode(module: Module, op: string, operands: readonly Value[], attributes: Attributes = {}): Value {
  return module.graph.node(op, operands, { ...module.named(op, attributes), domain: 'blip2' });
}

/** Three equal parts of the last axis. */
export const splitInThree = (module: Module, x: Value): readonly [Value, Value, Value] =>
  module.graph.nodes('Split', [x], [true, true, true], splitOptions(module, 3));

export const splitInTwo = (module: Module, x: Value): readonly [Value, Value] =>
  module.graph.nodes('Split', [x], [true, true], splitOptions(module, 2));

const splitOptions = (module: Module, parts: number) =>
  module.named('Split', { axis: { int: -1 }, num_outputs: { int: parts } });

const OWN_ACTIVATIONS: Partial<Record<Activation, string>> = { gelu: 'BiasGelu', relu: 'BiasRelu' };

/** Lanes read 16 bytes at once. */
function hasOwnActivation({ stage, path }: Module): boolean {
  const [width = 0] = stage.weights.get(`${path}.bias`).shape;
  return stage.own.activations && stage.float === 'F16' && width % 8 === 0;
}

/** Activation of a linear layer's output. */
export function activatedLinear(module: Module, x: Value, kind: Activation): Value {
  const offset = bias(module);
  if (offset === undefined) return module.activation(linear(module, x), kind);
  if (kind === 'relu' && finishesProducts(module)) return product(module, x, { bias: offset, isRelu: true });
  const relu = kind === 'relu' ? reluProduct(module, x, offset) : undefined;
  if (relu !== undefined) return relu;
  const op = OWN_ACTIVATIONS[kind];
  if (op !== undefined && hasOwnActivation(module)) {
    return ownNode(module, op, [product(module, x), offset]);
  }
  if (kind === 'gelu') return module.fused('BiasGelu', [product(module, x), offset]);
  return module.activation(linear(module, x), kind);
}

/** The value of `wire` plus what `module`, a linear layer, makes of `x`; added together with the next norm where one follows. */
export function addLinear(wire: string, module: Module, x: Value): void {
  const { stage } = module;
  const skip = stage.use(wire);
  const offset = bias(module);
  const branch = product(module, x);
  const add = (a: Value, b: Value) => module.add(a, b);
  stage.makeSum(wire, { add, terms: [branch, skip], ...(offset === undefined ? {} : { bias: offset }) });
}

/** Layer norm of a wire; a sum that waits to be added is added in the same node. */
export function normOf(module: Module, wire: string, width: number, epsilon: number): Value {
  const isAffine = module.stage.weights.expects(`${module.path}.weight`);
  const fused = isAffine ? summedNorm(module, wire, 'SkipLayerNormalization', ['weight', 'bias'], epsilon) : undefined;
  return fused ?? module.layerNorm(module.stage.use(wire), width, epsilon);
}

/** RMS norm of a wire, likewise. */
export function rmsNormOf(module: Module, wire: string, epsilon: number): Value {
  const fused = summedNorm(module, wire, 'SkipSimplifiedLayerNormalization', ['weight'], epsilon);
  return fused ?? module.rmsNorm(module.stage.use(wire), epsilon);
}

/** Sum and norm of a wire that nobody has added up yet; undefined where nothing waits. */
function summedNorm(
  module: Module,
  wire: string,
  op: string,
  affine: readonly string[],
  epsilon: number,
): Value | undefined {
  const { stage, graph } = module;
  const sum = stage.takeSum(wire);
  if (sum === undefined) return undefined;
  const offset = sum.bias === undefined ? [] : [sum.bias];
  const operands = [...sum.terms, ...affine.map((name) => module.weight(name)), ...offset];
  const [normed, , , total] = graph.nodes(op, operands, [true, false, false, true], {
    ...module.named(op, { epsilon }),
    domain: 'com.microsoft',
  });
  stage.make(wire, total);
  return normed;
}
