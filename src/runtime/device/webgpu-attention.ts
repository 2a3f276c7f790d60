/**
 * Whether an adapter attends right, which one attention shows. From 32 queries on, ONNX Runtime's WebGPU provider runs a kernel that
 * exchanges values within subgroups, and answers wrongly where these are as narrow as SwiftShader's, of 4.
 */
import { Blip2Error } from '../../errors.js';
import { elementCount } from '../../tensor/tensor-info.js';
import type { Attributes } from '../onnx/attributes.js';
import { GraphBuilder } from '../onnx/graph-builder.js';
import type { DeviceMemory } from './memory/device-memory.js';
import { HostMemory } from './memory/host-memory.js';
import { OrtSession, RunOptions, type BoundTensor, type OrtSessionOptions } from './ort/ort-session.js';
import { RECORDING } from './webgpu-provider.js';

/** Right answers differ in their last bits. */
const TOLERANCE = 1e-3;
const FLOAT_BYTES = 4;

interface Type {
  readonly dtype: 'F32' | 'I32';
  readonly dims: readonly number[];
}

interface Trial {
  readonly op: string;
  readonly attributes: Attributes;
  /** In the operator's order; null for one that is not given. */
  readonly inputs: readonly (readonly [string, Type] | null)[];
  readonly outputs: readonly (readonly [string, Type])[];
  /** Outputs that are written over inputs. */
  readonly over: ReadonlyMap<string, string>;
  /** Inputs that the host holds. */
  readonly held: ReadonlyMap<string, number>;
  /** Of each run, the integers of inputs that have them. */
  readonly runs: readonly ReadonlyMap<string, number>[];
}

const float = (...dims: number[]): Type => ({ dtype: 'F32', dims });
const ONE_INTEGER: Type = { dtype: 'I32', dims: [1] };

const MANY = float(1, 32, 8);
const OF_MANY: Trial = {
  op: 'MultiHeadAttention',
  attributes: { num_heads: { int: 1 } },
  inputs: [
    ['query', MANY],
    ['key', MANY],
    ['value', MANY],
  ],
  outputs: [['attended', MANY]],
  over: new Map(),
  held: new Map(),
  runs: [new Map()],
};

const CACHE = float(1, 2, 64, 8);
/** A step among few tokens and one among many, as a decoder records and replays it. */
const OF_STEPS: Trial = {
  op: 'GroupQueryAttention',
  attributes: { num_heads: { int: 2 }, kv_num_heads: { int: 2 } },
  inputs: [
    ['qkv', float(1, 1, 48)],
    null,
    null,
    ['past.key', CACHE],
    ['past.value', CACHE],
    ['seqlens', ONE_INTEGER],
    ['total', ONE_INTEGER],
  ],
  outputs: [
    ['attended', float(1, 1, 16)],
    ['present.key', CACHE],
    ['present.value', CACHE],
  ],
  over: new Map([
    ['present.key', 'past.key'],
    ['present.value', 'past.value'],
  ]),
  held: new Map([['total', 64]]),
  runs: [new Map([['seqlens', 3]]), new Map([['seqlens', 40]])],
};

/** Whether attention of 32 queries and more is right on the adapter. */
export function webgpuAttendsToMany(memory: DeviceMemory, settings: Readonly<Record<string, string>>): boolean {
  return isRight(OF_MANY, memory, { webgpu: settings });
}

/** Whether attention of a step can be recorded, and is right where it is replayed with another length; to be asked where `webgpuAttendsToMany`. */
export function webgpuReplaysSteps(memory: DeviceMemory, settings: Readonly<Record<string, string>>): boolean {
  try {
    return isRight(OF_STEPS, memory, { webgpu: { ...settings, ...RECORDING }, silent: true }, { gpu_graph_id: '1' });
  } catch (error) {
    if (error instanceof Blip2Error && error.code === 'ORT_FAILED') return false;
    throw error;
  }
}

function isRight(trial: Trial, memory: DeviceMemory, options: OrtSessionOptions, entries = {}): boolean {
  using host = new HostMemory();
  const expected = attend(trial, host, {});
  const found = attend(trial, memory, options, entries);
  return expected.every((value, index) => Math.abs(value - (found[index] ?? NaN)) < TOLERANCE);
}

/** What the last run answers. */
function attend(trial: Trial, memory: DeviceMemory, options: OrtSessionOptions, entries = {}): Float32Array {
  using host = new HostMemory();
  using order = new RunOptions(entries);
  using session = new OrtSession(modelOf(trial), options);
  const bound = new Map<string, BoundTensor>();
  const allocated: bigint[] = [];
  const onDevice = (type: Type): BoundTensor => {
    const address = memory.allocate(bytesOf(type));
    allocated.push(address);
    return { place: memory.place, address, ...type };
  };
  const upload = (tensor: BoundTensor, fill: (bytes: Uint8Array) => void): void => {
    const { address, bytes } = host.allocateHost(bytesOf(tensor));
    fill(bytes);
    memory.upload(tensor.address, address, bytes.length);
    memory.synchronize();
  };
  for (const [seed, [name, type]] of trial.inputs.filter((input) => input !== null).entries()) {
    const held = trial.held.get(name);
    if (held !== undefined) {
      const { address, bytes } = host.allocateHost(FLOAT_BYTES);
      writeInteger(bytes, held);
      bound.set(name, { place: 'Cpu', address, ...type });
      continue;
    }
    const tensor = onDevice(type);
    bound.set(name, tensor);
    if (type.dtype === 'F32')
      upload(tensor, (bytes) => floats(bytes).forEach((_, i, all) => (all[i] = Math.sin(i + seed))));
  }
  const outputs = trial.outputs.map(([name, type]) => {
    const input = bound.get(trial.over.get(name) ?? '');
    return [name, input ?? onDevice(type)] as const;
  });
  const located = (tensors: Iterable<readonly [string, BoundTensor]>) =>
    new Map([...tensors].map(([name, tensor]) => [name, tensor.place === 'Cpu' ? tensor : memory.locate(tensor)]));
  using binding = session.bind(located(bound), located(outputs));
  for (const integers of trial.runs) {
    for (const [name, value] of integers) {
      const tensor = bound.get(name);
      if (tensor !== undefined) upload(tensor, (bytes) => writeInteger(bytes, value));
    }
    binding.run(order);
  }
  const [[, attended] = []] = outputs;
  if (attended === undefined) throw new Error('an attention without an output');
  const { address, bytes } = host.allocateHost(bytesOf(attended));
  memory.download(address, attended.address, bytes.length);
  for (const each of allocated) memory.free(each);
  return floats(bytes).slice();
}

function modelOf({ op, attributes, inputs, outputs }: Trial): Uint8Array {
  const graph = new GraphBuilder('/');
  const operands = inputs.map((input) => (input === null ? '' : graph.input(...input)));
  const kept = outputs.map(() => true as const);
  const made = graph.nodes(op, operands, kept, { name: op, domain: 'com.microsoft', attributes });
  for (const [index, [name, type]] of outputs.entries()) graph.output(name, made[index] ?? '', type);
  return graph.toModel();
}

const bytesOf = ({ dims }: Pick<BoundTensor, 'dims'>): number => FLOAT_BYTES * elementCount(dims);

const floats = ({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array =>
  new Float32Array(buffer, byteOffset, byteLength / FLOAT_BYTES);

function writeInteger({ buffer, byteOffset }: Uint8Array, value: number): void {
  new DataView(buffer, byteOffset).setInt32(0, value, true);
}
