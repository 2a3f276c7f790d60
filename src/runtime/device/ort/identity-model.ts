import { GraphBuilder } from '../../onnx/graph-builder.js';

/** The smallest model there is: to try a provider with. */
export function identityModel(dtype: 'F16' | 'F32' = 'F32'): Uint8Array {
  const graph = new GraphBuilder('/');
  const type = { dtype, dims: [1] } as const;
  const x = graph.input('x', type);
  graph.output('y', graph.node('Relu', [x], { name: 'y' }), type);
  return graph.toModel();
}
