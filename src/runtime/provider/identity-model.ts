import { GraphBuilder } from '../onnx/graph-builder.js';

/** The smallest model there is: to try a provider with. */
export function identityModel(): Uint8Array {
  const graph = new GraphBuilder('/');
  const type = { dtype: 'F32', dims: [1] } as const;
  const x = graph.input('x', type);
  graph.output('y', graph.node('Relu', [x], { name: 'y' }), type);
  return graph.toModel();
}
