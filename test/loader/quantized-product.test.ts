/** What the loader writes is what ONNX Runtime reads: its product against one of dequantised weights in float64. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/loader/checkpoint/checkpoint.js';
import {
  convertFloats,
  mapTensors,
  openCheckpoint,
  quantizeCheckpoint,
  type MappedTensors,
} from '../../src/loader/index.js';
import { GraphBuilder } from '../../src/runtime/onnx/graph-builder.js';
import {
  QUANT_BITS,
  QUANT_BLOCK_SIZE,
  QUANT_SCHEMES,
  quantizedNames,
  type QuantScheme,
} from '../../src/tensor/quantized.js';

const ROWS = 3;

let folder: string;
let quantized: Checkpoint;
let mapped: MappedTensors;
let shapes: ReadonlyMap<string, readonly number[]>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quantized-product-'));
  const source = await openCheckpoint(
    fileURLToPath(new URL('../fixtures/loader/quantized-source.safetensors', import.meta.url)),
  );
  shapes = new Map([...source.tensors].map(([name, { shape }]) => [name, shape]));
  const weights = QUANT_SCHEMES.flatMap((scheme) =>
    [...source.tensors.keys()].map((name) => ({ name, source: name, scheme })),
  );
  quantized = await quantizeCheckpoint(source, weights, folder);
  mapped = await mapTensors(quantized, quantized.tensors.keys());
});

afterAll(async () => {
  mapped.close();
  await rm(folder, { recursive: true });
});

function dequantized(name: string, scheme: QuantScheme): Float64Array {
  const [rows = 0, columns = 0] = shapes.get(name) ?? [];
  const names = quantizedNames(name, scheme);
  const codes = mapped.get(names.values).bytes;
  const half = mapped.get(names.scales);
  const scales = new Float32Array(half.bytes.length / 2);
  convertFloats(half.bytes, 'F16', new Uint8Array(scales.buffer), 'F32');
  const blockSize = QUANT_BLOCK_SIZE[scheme];
  const rowBlocks = Math.ceil(columns / blockSize);
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const block = Math.floor(i / columns) * rowBlocks + Math.floor((i % columns) / blockSize);
    const at = block * blockSize + ((i % columns) % blockSize);
    const code = scheme === 'int8' ? (codes[at] ?? 0) : ((codes[at >> 1] ?? 0) >> (4 * (at % 2))) & 15;
    return (code - 2 ** (QUANT_BITS[scheme] - 1)) * (scales[block] ?? 0);
  });
}

async function productByOnnxRuntime(name: string, scheme: QuantScheme, x: Float32Array): Promise<Float32Array> {
  const [rows = 0, columns = 0] = shapes.get(name) ?? [];
  const names = quantizedNames(name, scheme);
  const graph = new GraphBuilder(folder);
  const weight = (stored: string) => {
    const tensor = quantized.tensors.get(stored);
    if (tensor === undefined) throw new Error(stored);
    return graph.weight(stored, tensor);
  };
  const scales = graph.node('Cast', [weight(names.scales)], { name: 'scales', attributes: { to: { int: 1 } } });
  const inputs = [graph.input('x', { dtype: 'F32', dims: [ROWS, columns] }), weight(names.values), scales];
  const product = graph.node('MatMulNBits', inputs, {
    name: 'product',
    domain: 'com.microsoft',
    attributes: {
      K: { int: columns },
      N: { int: rows },
      bits: { int: QUANT_BITS[scheme] },
      block_size: { int: QUANT_BLOCK_SIZE[scheme] },
    },
  });
  graph.output('y', product, { dtype: 'F32', dims: [ROWS, rows] });
  const session = await InferenceSession.create(graph.toModel(), {
    extra: { session: { model_external_initializers_file_folder_path: folder } },
  });
  const { y } = await session.run({ x: new Tensor('float32', x, [ROWS, columns]) });
  await session.release();
  return y?.data as Float32Array;
}

describe('weights in small integers', () => {
  // The row of -400000 in `edges` would need an error relative to it.
  const names = ['even', 'odd', 'narrow', 'half', 'half_odd', 'brain'];
  it.each(QUANT_SCHEMES.flatMap((scheme) => names.map((name) => [scheme, name] as const)))(
    '%s of "%s" multiply in ONNX Runtime as they dequantise',
    async (scheme, name) => {
      const [rows = 0, columns = 0] = shapes.get(name) ?? [];
      const x = Float32Array.from({ length: ROWS * columns }, (_, i) => Math.sin(i * 1.7));
      const weight = dequantized(name, scheme);
      const product = await productByOnnxRuntime(name, scheme, x);
      let largest = 0;
      let worst = 0;
      for (let i = 0; i < ROWS * rows; i++) {
        const row = Math.floor(i / rows) * columns;
        const column = (i % rows) * columns;
        let expected = 0;
        for (let k = 0; k < columns; k++) expected += (x[row + k] ?? 0) * (weight[column + k] ?? 0);
        largest = Math.max(largest, Math.abs(expected));
        worst = Math.max(worst, Math.abs(expected - (product[i] ?? Number.NaN)));
      }
      expect(product).toHaveLength(ROWS * rows);
      expect(worst).toBeLessThan(1e-5 * Math.max(1, largest));
    },
  );
});
