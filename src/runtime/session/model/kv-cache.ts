/** Keys and values between two steps: one tensor per layer and part, float32 `[rows, heads, length, headSize]`. */
import { Tensor } from 'onnxruntime-node';
import type { TextConfig } from '../../../model/language-config.js';
import { headSize, pastWire, presentWire, type CachePart } from '../../graph/wires.js';

export type Wires = ReadonlyMap<string, Tensor>;

export function emptyPast(config: TextConfig, rows: number): Map<string, Tensor> {
  const shape = [rows, config.heads, 0, headSize(config)];
  return perLayer(config, pastWire, () => new Tensor('float32', new Float32Array(0), shape));
}

/** What a step made, as the next step's past. */
export function pastOf(config: TextConfig, wires: Wires): Map<string, Tensor> {
  return perLayer(config, pastWire, (layer, part) => wireOf(wires, presentWire(layer, part)));
}

export function perLayer(
  config: TextConfig,
  nameOf: (layer: number, part: CachePart) => string,
  tensorOf: (layer: number, part: CachePart) => Tensor,
): Map<string, Tensor> {
  const layers = config.family === 't5' ? config.decoderLayers : config.layers;
  const tensors = new Map<string, Tensor>();
  for (let layer = 0; layer < layers; layer++) {
    for (const part of ['key', 'value'] as const) tensors.set(nameOf(layer, part), tensorOf(layer, part));
  }
  return tensors;
}

/** The caches of the given rows, in that order; rows may repeat or be left out. Nothing is copied when all stay. */
export function selectCacheRows(caches: Wires, rows: readonly number[]): Wires {
  return new Map([...caches].map(([wire, tensor]) => [wire, selectRows(tensor, rows)]));
}

function selectRows(tensor: Tensor, rows: readonly number[]): Tensor {
  const [count = 0, ...rest] = tensor.dims;
  if (rows.length === count && rows.every((row, index) => row === index)) return tensor;
  const size = rest.reduce((product, dim) => product * dim, 1);
  const source = tensor.data as Float32Array;
  const selected = new Float32Array(rows.length * size);
  rows.forEach((row, index) => selected.set(source.subarray(row * size, (row + 1) * size), index * size));
  return new Tensor('float32', selected, [rows.length, ...rest]);
}

export function wireOf(wires: Wires, name: string): Tensor {
  const tensor = wires.get(name);
  if (tensor === undefined) throw new Error(`no stage made ${name}`);
  return tensor;
}
