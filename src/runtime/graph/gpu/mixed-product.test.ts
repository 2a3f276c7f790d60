/** Float16 weights times float32 activations, cut as for WebGPU, on the CPU. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { GOLDENS } from '../../../../test/golden/golden.js';
import { convertFloats } from '../../../loader/convert/convert-floats.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { HostMemory } from '../../device/memory/host-memory.js';
import { OrtSession, RunOptions } from '../../device/ort/ort-session.js';
import { Module } from '../module.js';
import { StageBuilder } from '../stage-builder.js';
import { Weights } from '../weights.js';
import { webgpuStyle } from './gpu-style.js';
import { mixedProduct } from './mixed-product.js';

const NAME = 'language_model.model.decoder.layers.0.fc2.weight';
const json = JSON.parse(await readFile(join(GOLDENS, 'tiny-opt/config.json'), 'utf8')) as { text_config: object };

it.each([
  ['the rows of all as one matrix', 1100, 1984, true],
  ['all chunks in one pass', 1100, 1984],
  ['chunks in groups', 1100, 2176],
  ['chunks that make no groups', 1100, 64 * 37],
  ['few sums', 96, 2176],
])('multiplies with %s', (_, rows, columns, isOneMatrix = false) => {
  const text = { ...json.text_config, hidden_size: rows, word_embed_proj_dim: rows, ffn_dim: columns };
  const config = parseBlip2Config({ ...json, text_config: text });
  const tensor = { dtype: 'F16', shape: [rows, columns], file: '/none', begin: 0, end: 2 * rows * columns } as const;
  const stage = new StageBuilder({
    config,
    weights: new Weights(config, new Map([[NAME, tensor]])),
    folder: '/',
    picture: { rows: 1, columns: 1, positions: null },
    style: webgpuStyle('F16'),
  });
  const { graph } = stage;
  const x = graph.input('x', { dtype: 'F32', dims: ['batch', 'tokens', columns] });
  const [batch, tokens] = [2, 3];
  const shape = isOneMatrix ? graph.int64s([batch, tokens, -1]) : undefined;
  const made = mixedProduct(new Module(stage, 'fc2'), x, { name: NAME, tensors: [NAME], rows, columns }, shape);
  graph.output('y', made, { dtype: 'F32', dims: ['batch', 'tokens', rows] });

  using memory = new HostMemory();
  using session = new OrtSession(graph.toModel(), { threads: 1 });
  const floats = (count: number, of: (index: number) => number) => {
    const { address, bytes } = memory.allocateHost(4 * count);
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, count).map((_value, index) => of(index));
    bytes.set(new Uint8Array(values.buffer));
    return { address, bytes, values };
  };
  const given = floats(batch * tokens * columns, (index) => Math.sin(index));
  const weight = floats(rows * columns, (index) => Math.cos(1.7 * index));
  const half = memory.allocateHost(2 * rows * columns);
  convertFloats(weight.bytes, 'F32', half.bytes, 'F16');
  const result = memory.allocateHost(4 * batch * tokens * rows);
  const input = stage.weightInputs.get(NAME);
  if (input === undefined) throw new Error('no weight');
  const place = 'Cpu';
  using binding = session.bind(
    new Map([
      ['x', { place, address: given.address, dtype: 'F32', dims: [batch, tokens, columns] }],
      [NAME, { place, address: half.address, dtype: 'F16', dims: input.dims }],
    ]),
    new Map([['y', { place, address: result.address, dtype: 'F32', dims: [batch, tokens, rows] }]]),
  );
  using options = new RunOptions();
  binding.run(options);
  const found = new Float32Array(result.bytes.buffer, result.bytes.byteOffset, batch * tokens * rows);
  const scale = Math.sqrt(columns) / 2;
  for (const [token, row] of [
    [0, 0],
    [1, rows - 1],
    [batch * tokens - 1, 17],
  ] as const) {
    let exact = 0;
    for (let column = 0; column < columns; column++) {
      exact += (given.values[token * columns + column] ?? 0) * (weight.values[column * rows + row] ?? 0);
    }
    expect(Math.abs((found[token * rows + row] ?? NaN) - exact)).toBeLessThan(4e-3 * scale);
  }
});
