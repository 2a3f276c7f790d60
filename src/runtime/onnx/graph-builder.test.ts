/** The models written here, read and run by ONNX Runtime. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from './graph-builder.js';

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
});
