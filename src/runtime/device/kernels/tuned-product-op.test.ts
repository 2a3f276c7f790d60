import { expect, it } from 'vitest';
import { at } from '../../../checked-access.js';
import type { ProductShape, ProductWays } from './cublas-lt.js';
import { TunedProducts } from './tuned-product-op.js';

const PLACES = { x: 1n, weights: 2n, y: 3n };
const MANY: ProductShape = { rows: 4096, inputs: 64, outputs: 64 };

/** A card on which algorithm i takes `times[i]`, and what it was asked for: algorithms that ran, one after the other. */
function card(times: readonly number[]) {
  const ran: number[] = [];
  const state = { ran, isRecording: false, rounds: 0 };
  const kernels = {
    isRecording: () => state.isRecording,
    times: (_: bigint, works: readonly (() => void)[]) => {
      state.rounds++;
      for (const work of works) work();
      // The first round is slow for all, and most for the first.
      return times.map((ms, i) => (state.rounds === 1 ? 100 - i : ms));
    },
  };
  const lt = {
    waysOf: (shape: ProductShape): ProductWays => ({
      ...shape,
      layouts: [0n, 0n, 0n],
      algorithms: times.map((_, i) => Uint8Array.of(i)),
    }),
    multiply: (_: ProductWays, algorithm: Uint8Array) => void ran.push(at([...algorithm], 0)),
  };
  const products = new TunedProducts(kernels, lt, 0n);
  return { state, run: (shape: ProductShape) => (products.multiply(7n, shape, PLACES), ran.at(-1)) };
}

it('are made by what is fastest for their shape, which is tried once', () => {
  const { state, run } = card([10, 9, 7, 8]);
  expect(run(MANY)).toBe(2);
  const { rounds } = state;
  expect(rounds).toBeGreaterThan(1);
  state.ran.length = 0;
  expect([run(MANY), run(MANY)]).toEqual([2, 2]);
  expect(state).toMatchObject({ rounds, ran: [2, 2] });
  // Another shape is another matter.
  expect(run({ ...MANY, rows: 8192 })).toBe(2);
  expect(state.rounds).toBe(2 * rounds);
});

it('stay with the first that was offered where another is hardly faster', () => {
  const { run } = card([10, 9.8, 9.9]);
  expect(run(MANY)).toBe(0);
});

it('are not tried for few rows, where there is no choice, and while a run is recorded', () => {
  const { state, run } = card([10, 1]);
  expect(run({ ...MANY, rows: 512 })).toBe(0);
  state.isRecording = true;
  expect(run(MANY)).toBe(0);
  expect(state.rounds).toBe(0);
  state.isRecording = false;
  expect(run(MANY)).toBe(1);
  const one = card([10]);
  expect(one.run(MANY)).toBe(0);
  expect(one.state.rounds).toBe(0);
});
