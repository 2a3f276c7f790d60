import { elementType } from '../../onnx/element-type.js';
import type { Value } from '../../onnx/graph-builder.js';
import type { Module } from '../module.js';

export function castTo(module: Module, x: Value, dtype: 'F16' | 'F32'): Value {
  return module.node('Cast', [x], { to: { int: elementType(dtype) } });
}

/** To the float of the device's activations. */
export function toFloat(module: Module, x: Value): Value {
  return castTo(module, x, module.stage.float);
}
