/**
 * Whether an adapter attends right. From 32 queries on, ONNX Runtime's WebGPU provider runs a kernel that exchanges values
 * within subgroups, and answers wrongly where these are as narrow as SwiftShader's, of 4. So one attention is tried.
 */
import { GraphBuilder } from '../onnx/graph-builder.js';
import { HostMemory } from './memory/host-memory.js';
import { OrtSession, RunOptions, type BoundTensor, type OrtSessionOptions } from './ort/ort-session.js';
import { webgpuSettings } from './webgpu-provider.js';

const MANY = 32;
const DIMS = [1, MANY, 8] as const;
const ELEMENTS = MANY * 8;
/** Right answers differ in their last bits. */
const TOLERANCE = 1e-3;

let attendsToMany: boolean | undefined;

/** Whether attention of many queries is right on the adapter. */
export function webgpuAttendsToMany(): boolean {
  if (attendsToMany === undefined) {
    const [expected, found] = [attend({}), attend({ webgpu: webgpuSettings() })];
    attendsToMany = expected.every((value, index) => Math.abs(value - (found[index] ?? NaN)) < TOLERANCE);
  }
  return attendsToMany;
}

function attend(options: OrtSessionOptions): Float32Array {
  using memory = new HostMemory();
  using session = new OrtSession(attentionModel(), options);
  const tensor = (seed: number): { readonly bound: BoundTensor; readonly values: Float32Array } => {
    const { address, bytes } = memory.allocateHost(4 * ELEMENTS);
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, ELEMENTS);
    values.forEach((_, index) => (values[index] = Math.sin(index + seed)));
    return { bound: { place: 'Cpu', address, dtype: 'F32', dims: DIMS }, values };
  };
  const inputs = new Map(['query', 'key', 'value'].map((name, seed) => [name, tensor(seed).bound]));
  const attended = tensor(0);
  using binding = session.bind(inputs, new Map([['attended', attended.bound]]));
  using run = new RunOptions();
  binding.run(run);
  return attended.values.slice();
}

function attentionModel(): Uint8Array {
  const graph = new GraphBuilder('/');
  const type = { dtype: 'F32', dims: DIMS } as const;
  const operands = ['query', 'key', 'value'].map((name) => graph.input(name, type));
  const attended = graph.node('MultiHeadAttention', operands, {
    name: 'attended',
    domain: 'com.microsoft',
    attributes: { num_heads: { int: 1 } },
  });
  graph.output('attended', attended, type);
  return graph.toModel();
}
