/** The models written here, read and run by ONNX Runtime, and beside one that ONNX's own Python package wrote. */
import { fromBinary } from '@bufbuild/protobuf';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from './graph-builder.js';
import { ModelProtoSchema } from './onnx_pb.js';

const rows = { dtype: 'F32', dims: ['rows', 2] } as const;

describe('GraphBuilder', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blip2-graph-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  async function run(graph: GraphBuilder, x: number[]): Promise<Record<string, number[]>> {
    const session = await InferenceSession.create(graph.toModel(), {
      logSeverityLevel: 3,
      extra: { session: { model_external_initializers_file_folder_path: folder } },
    });
    const results = await session.run({ x: new Tensor('float32', Float32Array.from(x), [x.length / 2, 2]) });
    await session.release();
    return Object.fromEntries(
      Object.entries(results).map(([name, { data }]) => [name, Array.from(data as Float32Array)]),
    );
  }

  it('reads a weight from its place in its file', async () => {
    const file = join(folder, 'weights');
    await writeFile(file, new Uint8Array(Float32Array.of(9, 9, 1, 2, 3, 4, 9).buffer));
    const graph = new GraphBuilder(folder);
    const weight = graph.weight('w', { dtype: 'F32', shape: [2, 2], file, begin: 8, end: 24 });
    expect(graph.weight('w', { dtype: 'F32', shape: [2, 2], file, begin: 8, end: 24 })).toBe(weight);
    const product = graph.node('Gemm', [graph.input('x', rows), weight], {
      name: 'product',
      attributes: { transB: { int: 1 } },
    });
    graph.output('y', product, rows);
    expect(await run(graph, [1, 10, 0, 1])).toEqual({ y: [21, 43, 2, 4] });
  });

  it('gives several nodes of one name names of their own, and outputs the names asked for', async () => {
    const graph = new GraphBuilder(folder);
    const x = graph.input('x', rows);
    const once = graph.node('Add', [x, graph.float(1)], { name: 'more' });
    const twice = graph.node('Add', [once, graph.float(1)], { name: 'more' });
    expect(new Set([once, twice]).size).toBe(2);
    graph.output('twice', twice, rows);
    graph.output('once', once, rows);
    graph.output('same', x, rows);
    graph.output('again', once, rows);
    expect(graph.outputNames).toEqual(['twice', 'once', 'same', 'again']);
    expect(await run(graph, [1, 2])).toEqual({ twice: [3, 4], once: [2, 3], same: [1, 2], again: [2, 3] });
  });

  it('leaves out the results that nobody reads', async () => {
    const graph = new GraphBuilder(folder);
    const scale = graph.constant('scale', 'F32', [2], Float32Array.of(1, 1));
    const [normed, , inverse] = graph.nodes(
      'LayerNormalization',
      [graph.input('x', rows), scale],
      [true, false, true],
      {
        name: 'norm',
        attributes: { epsilon: 0 },
      },
    );
    graph.output('normed', normed, rows);
    graph.output('inverse', inverse, { dtype: 'F32', dims: ['rows', 1] });
    expect(await run(graph, [1, 3, 4, 8])).toEqual({ normed: [-1, 1, -1, 1], inverse: [1, 0.5] });
  });

  it('says what ONNX itself says, integers of 64 bits too', async () => {
    const noDouble = 2n ** 53n + 1n;
    const graph = new GraphBuilder('/checkpoint');
    const file = '/checkpoint/shards/a.safetensors';
    const weight = graph.weight('weight', { dtype: 'F32', shape: [2, 3], file, begin: 1024, end: 1048 });
    const product = graph.node('Gemm', [graph.input('x', { dtype: 'F32', dims: ['rows', 3] }), weight], {
      name: 'product',
      attributes: { alpha: 0.1, transB: { int: 1 } },
    });
    graph.declare(product, { dtype: 'F32', dims: ['rows', 2] });
    const reshaped = graph.node('Reshape', [product, graph.int64s([7, -1])], { name: 'reshape' });
    const [made] = graph.nodes('Made', [reshaped, ''], [true, false, true], {
      name: 'made',
      domain: 'com.microsoft',
      attributes: {
        large: { int: noDouble },
        least: { int: -(2n ** 63n) },
        list: { ints: [0, -1, noDouble] },
        text: 'größer',
      },
    });
    graph.output('y', made, { dtype: 'F16', dims: ['rows', Number.MAX_SAFE_INTEGER] });
    const theirs = new Uint8Array(
      await readFile(join(import.meta.dirname, '../../../test/fixtures/onnx/every-kind.onnx')),
    );
    expect(fromBinary(ModelProtoSchema, graph.toModel())).toEqual(fromBinary(ModelProtoSchema, theirs));
  });

  it('refuses integers that are none or take more than 64 bits', () => {
    const written = (int: number | bigint) => () => {
      const graph = new GraphBuilder(folder);
      graph.node('Made', [], { name: 'made', attributes: { value: { int } } });
      return graph.toModel();
    };
    expect(written(2n ** 63n - 1n)).not.toThrow();
    expect(written(1.5)).toThrow(RangeError);
    expect(written(2n ** 63n)).toThrow('9223372036854775808');
  });
});
