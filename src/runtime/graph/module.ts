import type { Activation } from '../../model/config-fields.js';
import type { Attributes } from '../onnx/attributes.js';
import type { GraphBuilder, NodeOptions, Value } from '../onnx/graph-builder.js';
import type { StageBuilder } from './stage-builder.js';

/**
 * A Hugging Face module inside a stage: names its weights and its nodes by the module's path. Nodes are called
 * `<path>/<operator>`, so that a device map's keys are prefixes of them.
 */
export class Module {
  readonly stage: StageBuilder;
  readonly path: string;

  constructor(stage: StageBuilder, path: string) {
    this.stage = stage;
    this.path = path;
  }

  get graph(): GraphBuilder {
    return this.stage.graph;
  }

  child(name: string): Module {
    return new Module(this.stage, `${this.path}.${name}`);
  }

  weight(name: string): Value {
    return this.stage.weight(`${this.path}.${name}`);
  }

  node(op: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    return this.graph.node(op, inputs, this.named(op, attributes));
  }

  /** An operator of ONNX Runtime's own domain. */
  fused(op: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    return this.graph.node(op, inputs, { ...this.named(op, attributes), domain: 'com.microsoft' });
  }

  named(op: string, attributes: Attributes = {}): NodeOptions {
    return { name: `${this.path}/${op}`, attributes };
  }

  /** Normalisation of the last axis, statistics in float32. Scale and bias are there when config.json implies them. */
  layerNorm(x: Value, width: number, epsilon: number): Value {
    const affine = this.stage.weights.expects(`${this.path}.weight`);
    const scale = affine ? this.weight('weight') : this.#ones(width);
    const bias = affine ? [this.weight('bias')] : [];
    return this.node('LayerNormalization', [x, scale, ...bias], { axis: { int: -1 }, epsilon });
  }

  /** `w * x / sqrt(mean(x^2) + epsilon)` over the last axis, statistics in float32. */
  rmsNorm(x: Value, epsilon: number): Value {
    return this.node('SimplifiedLayerNormalization', [x, this.weight('weight')], { axis: { int: -1 }, epsilon });
  }

  activation(x: Value, kind: Activation): Value {
    if (kind === 'relu') return this.node('Relu', [x]);
    if (kind === 'silu') return this.node('Mul', [x, this.node('Sigmoid', [x])]);
    return this.node('Gelu', [x], { approximate: kind === 'gelu' ? 'none' : 'tanh' });
  }

  add(a: Value, b: Value): Value {
    return this.node('Add', [a, b]);
  }

  /** 0 keeps a dimension, -1 takes the rest. */
  reshape(x: Value, shape: readonly number[]): Value {
    return this.node('Reshape', [x, this.graph.int64s(shape)]);
  }

  #ones(width: number): Value {
    return this.graph.constant(`ones:[${width}]`, 'F32', [width], new Float32Array(width).fill(1));
  }
}
