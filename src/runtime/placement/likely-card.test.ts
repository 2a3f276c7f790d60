import { expect, it } from 'vitest';
import type { Budgets } from '../../planner/plan/request/budgets.js';
import { likelyCard } from './likely-card.js';

const budgets = (...gpus: number[]): Budgets => ({
  gpus: new Map(gpus.map((gpu) => [gpu, 2 ** 30])),
  ramBytes: null,
  diskBytes: 0,
});
const map = new Map<string, number | 'cpu'>([
  ['vision_model', 'cpu'],
  ['qformer', 3],
  ['language_model', 1],
]);

it('is the first card of the budgets or of the map', () => {
  expect(likelyCard({ budgets: budgets(2, 1) })).toBe(1);
  expect(likelyCard({ plan: map, provider: 'cuda' })).toBe(1);
});

it('is the first card where the provider is asked for by name, without a placement', () => {
  expect(likelyCard({ provider: 'cuda' })).toBe(0);
  expect(likelyCard({})).toBeUndefined();
});

it('is none that has no room for a context', () => {
  const gpus = new Map([
    [0, 2 ** 28],
    [1, 2 ** 30],
  ]);
  expect(likelyCard({ budgets: { gpus, ramBytes: null, diskBytes: 0 } })).toBe(1);
});

it('is none where no card of CUDA is used', () => {
  expect(likelyCard({ budgets: budgets() })).toBeUndefined();
  expect(likelyCard({ budgets: budgets(0), emulateGpu: true })).toBeUndefined();
  expect(likelyCard({ budgets: budgets(0), provider: 'webgpu' })).toBeUndefined();
  expect(likelyCard({ plan: new Map([['', 'cpu' as const]]) })).toBeUndefined();
});
