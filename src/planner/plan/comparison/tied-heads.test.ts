import { describe, expect, it } from 'vitest';
import type { Device } from '../../map/device-map.js';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { explainMap } from './explain-map.js';

const models = await loadModelTable();
const [ROWS, WIDTH] = [96, 64];

const shapes: Record<string, number[]> = {
  'bert.embeddings.word_embeddings.weight': [ROWS, WIDTH],
  'bert.embeddings.LayerNorm.weight': [WIDTH],
  'bert.encoder.layer.0.output.dense.weight': [WIDTH, WIDTH],
  'cls.predictions.bias': [ROWS],
  'cls.predictions.transform.dense.weight': [WIDTH, WIDTH],
};
const tensors = new Map(
  Object.entries(shapes).map(([name, shape]): [string, TensorInfo] => [name, { dtype: 'F16', shape }]),
);
const config = { architectures: ['BertForMaskedLM'], model_type: 'bert', num_hidden_layers: 1 };

function faults(rest: Device, words: Device, bias: Device, decoder: Device): string[] {
  const map = new Map<string, Device>([
    ['bert.embeddings.word_embeddings', words],
    ['bert.embeddings.LayerNorm', rest],
    ['bert.encoder', rest],
    ['cls.predictions.bias', bias],
    ['cls.predictions.transform', rest],
    ['cls.predictions.decoder', decoder],
  ]);
  const budgets = { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 0 };
  const { issues } = explainMap(map, tensors, { config, models, engine: 'transformers', budgets });
  return issues.map(({ code }) => code);
}

const APART = ['MAP_TIED_APART'];

/**
 * Its decoder has the token table as its weight, and a bias of the module that it is in. A tiny BERT was loaded by these maps in transformers 5.24 and
 * accelerate 1.15, with the CPU as the GPU and a store of its own as host memory: it ran with equal outputs, or did not load or run.
 */
describe("parts of BERT's head that are tied", () => {
  it.each<[Device, Device, Device, Device]>([
    [0, 0, 0, 'cpu'],
    [0, 0, 'cpu', 0],
    [0, 0, 'cpu', 'cpu'],
    [0, 'cpu', 0, 0],
    [0, 'cpu', 'cpu', 'cpu'],
    [0, 'disk', 'disk', 'disk'],
    ['cpu', 'disk', 'disk', 'disk'],
    ['disk', 'disk', 'disk', 'disk'],
  ])('run: rest on %s, tokens on %s, bias on %s, decoder on %s', (...map) => {
    expect(faults(...map)).toEqual([]);
  });

  it.each<[Device, Device, Device, Device]>([
    [0, 0, 0, 'disk'],
    [0, 0, 'disk', 0],
    [0, 0, 'disk', 'disk'],
    [0, 'cpu', 0, 'disk'],
    [0, 'disk', 0, 0],
    [0, 'disk', 'cpu', 'cpu'],
    [0, 'disk', 'disk', 0],
    ['cpu', 'cpu', 'disk', 'disk'],
    ['cpu', 'disk', 'cpu', 'cpu'],
    ['disk', 'disk', 'cpu', 'cpu'],
  ])('fail: rest on %s, tokens on %s, bias on %s, decoder on %s', (...map) => {
    expect(faults(...map)).toEqual(APART);
  });
});
