import type { Value } from '../onnx/graph-builder.js';
import type { StageBuilder } from './stage-builder.js';

/** The shape `[batch, tokens, -1]` of this run, read off a wire whose first two dimensions are those. */
export function tokenShape(stage: StageBuilder, wire: string): Value {
  return stage.once(`token shape of ${wire}`, () => {
    const shape = stage.graph.node('Shape', [stage.use(wire)], {
      name: `${wire}/Shape`,
      attributes: { end: { int: 2 } },
    });
    const parts = [shape, stage.graph.int64s([-1])];
    return stage.graph.node('Concat', parts, { name: `${wire}/Concat`, attributes: { axis: { int: 0 } } });
  });
}
