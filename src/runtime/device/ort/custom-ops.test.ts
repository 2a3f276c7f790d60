import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../onnx/graph-builder.js';
import { HostMemory } from '../memory/host-memory.js';
import { CustomOps, type CustomOp } from './custom-ops.js';
import { OrtSession, RunOptions, type BoundTensor } from './ort-session.js';
import koffi from 'koffi';

/** y = factor * x + shift, of float32. */
const SCALED: CustomOp = {
  name: 'Scaled',
  inputs: ['F32'],
  outputs: ['F32'],
  provider: null,
  kernel: (attributes) => {
    const [factor, shift] = [attributes.float('factor'), attributes.int('shift')];
    if (shift < 0) throw new Error(`a shift of ${shift}`);
    return (node) => {
      const { address, dims } = node.input(0);
      const count = dims.reduce((product, size) => product * size, 1);
      if (count > 4) throw new Error(`${count} values are too many`);
      const floats = (place: bigint) => new Float32Array(koffi.view(place, 4 * count));
      floats(node.output(0, dims)).set(floats(address).map((x) => factor * x + shift));
    };
  },
};

function model(shift: number): Uint8Array {
  const graph = new GraphBuilder('/');
  const x = graph.input('x', { dtype: 'F32', dims: ['rows', 2] });
  const attributes = { factor: 0.5, shift: { int: shift } };
  const scaled = graph.node('Scaled', [x], { name: 'scaled', domain: 'blip2', attributes });
  graph.output('y', graph.node('Neg', [scaled], { name: 'negative' }), { dtype: 'F32', dims: ['rows', 2] });
  return graph.toModel();
}

function run(session: OrtSession, values: readonly number[]): number[] {
  using memory = new HostMemory();
  const tensor = (): BoundTensor & { readonly floats: Float32Array } => {
    const { address, bytes } = memory.allocateHost(4 * values.length);
    return {
      place: 'Cpu',
      address,
      dtype: 'F32',
      dims: [values.length / 2, 2],
      floats: new Float32Array(bytes.buffer, bytes.byteOffset, values.length),
    };
  };
  const [x, y] = [tensor(), tensor()];
  x.floats.set(values);
  using binding = session.bind(new Map([['x', x]]), new Map([['y', y]]));
  using options = new RunOptions();
  binding.run(options);
  return [...y.floats];
}

describe('an operator of our own', () => {
  it('runs with the attributes of its node and the shapes of each run', () => {
    const ops = new CustomOps([SCALED]);
    using session = new OrtSession(model(3), { ops });
    expect(run(session, [2, 4])).toEqual([-4, -5]);
    expect(run(session, [0, 1, 2, -8])).toEqual([-3, -3.5, -4, 1]);
  });

  it('says what failed, and goes on', () => {
    const ops = new CustomOps([SCALED]);
    expect(() => new OrtSession(model(-1), { ops })).toThrow('a shift of -1');
    using session = new OrtSession(model(0), { ops, silent: true });
    expect(() => run(session, [1, 2, 3, 4, 5, 6])).toThrow('6 values are too many');
    expect(run(session, [2, 4])).toEqual([-1, -2]);
  });

  it('is unknown to sessions that were not given it', () => {
    expect(() => new OrtSession(model(0), { silent: true })).toThrow(/blip2/);
  });
});
