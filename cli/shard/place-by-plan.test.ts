import { expect, it } from 'vitest';
import type { StoredTensor } from '../../src/loader/index.js';
import { placeByPlan } from './place-by-plan.js';

const tensor: StoredTensor = { dtype: 'F32', shape: [1], begin: 0, end: 4, file: '' };
const tensors = new Map(
  ['model.layers.0.weight', 'model.layers.10.weight', 'head.weight'].map((name) => [name, tensor]),
);

it('names the keys of a map that move nothing', () => {
  const stray = (map: object) => placeByPlan(map, { tensors, config: null }).strayKeys;
  expect(stray({ '': 'cpu', 'model.layers': 0, 'head.weight': 1 })).toEqual([]);
  expect(stray({ '': 'cpu', modell: 0, 'model.layers.1': 0, head: 1, 'head.bias': 1 })).toEqual([
    'modell',
    'model.layers.1',
    'head.bias',
  ]);
});
