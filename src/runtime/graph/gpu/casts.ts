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

/** Float32 rows as products read them, cast once. */
export const floatOf = (module: Module, wide: Value): Value =>
  module.stage.float === 'F32' ? wide : module.stage.once(floatName(wide), () => toFloat(module, wide));

/** Says what `floatOf` is of rows that were made in both. */
export const madeInFloat = ({ stage }: Module, wide: Value, float: Value): Value =>
  stage.once(floatName(wide), () => float);

const floatName = (wide: Value): string => `float of ${wide}`;
