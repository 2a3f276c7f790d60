import { expect, it } from 'vitest';
import { at } from '../../../checked-access.js';
import { offeredIn, type ProductShape, type ProductWays } from './cublas-lt.js';
import { TunedProducts } from './tuned-product-op.js';

const PLACES = { x: 1n, weights: 2n, bias: 0n, y: 3n };
const MANY: ProductShape = { rows: 4096, inputs: 2048, outputs: 2048, isRelu: false };

/** What is tried has come so often. */
const OFTEN = 64;

/**
 * A card on which algorithm i takes `times[i]`, and what it was asked for: algorithms that ran, one after the other.
 * @param refused those that it offers and does not take
 */
function card(times: readonly number[], refused: readonly number[] = []) {
  const ran: number[] = [];
  const state = { ran, isRecording: false, rounds: 0, offered: 0, forgotten: 0 };
  const kernels = {
    isRecording: () => state.isRecording,
    times: (_: bigint, works: readonly (() => void)[]) => {
      state.rounds++;
      return works.map((work) => {
        work();
        return at(times, at(ran, ran.length - 1));
      });
    },
  };
  const lt = {
    waysOf: (shape: ProductShape): ProductWays => {
      state.offered++;
      return { ...shape, layouts: [0n, 0n, 0n], algorithms: times.map((_, i) => Uint8Array.of(i)) };
    },
    multiply: (_: ProductWays, [algorithm = -1]: Uint8Array) => {
      if (refused.includes(algorithm)) throw new Error(`${algorithm} is not taken`);
      ran.push(algorithm);
    },
    forget: () => void state.forgotten++,
  };
  const products = new TunedProducts(kernels, lt, 0n);
  const run = (shape: ProductShape, count = 1) => {
    for (let product = 0; product < count; product++) products.multiply(7n, shape, PLACES);
    return ran.at(-1);
  };
  return { state, run };
}

it('are made by what is fastest for their shape, which is tried once', () => {
  const { state, run } = card([10, 9, 7, 8]);
  expect(run(MANY, OFTEN)).toBe(2);
  const { rounds } = state;
  expect(rounds).toBeGreaterThan(1);
  state.ran.length = 0;
  expect([run(MANY), run(MANY)]).toEqual([2, 2]);
  expect(state).toMatchObject({ rounds, ran: [2, 2], offered: 1 });
  // Another shape is another matter.
  expect(run({ ...MANY, rows: 8192 }, OFTEN)).toBe(2);
  expect(state.rounds).toBe(2 * rounds);
});

it('are made by what is offered first where a shape comes for the layers of one run', () => {
  const { state, run } = card([10, 1]);
  expect(run(MANY, OFTEN - 1)).toBe(0);
  expect(state.ran).toHaveLength(OFTEN - 1);
  expect(run(MANY)).toBe(1);
});

it('stay with the first that was offered where another is hardly faster', () => {
  const { run } = card([10, 9.8, 9.9]);
  expect(run(MANY, OFTEN)).toBe(0);
});

it('are not tried for few rows, of little work, where there is no choice, and while a run is recorded', () => {
  const { state, run } = card([10, 1]);
  expect(run({ ...MANY, rows: 512 }, OFTEN)).toBe(0);
  expect(run({ ...MANY, outputs: 64 }, OFTEN)).toBe(0);
  state.isRecording = true;
  expect(run(MANY, OFTEN)).toBe(0);
  expect(state.rounds).toBe(0);
  state.isRecording = false;
  expect(run(MANY)).toBe(1);
  const one = card([10]);
  expect(one.run(MANY, OFTEN)).toBe(0);
  expect(one.state.rounds).toBe(0);
});

it('are made by others where the library refuses what it offers', () => {
  const { run } = card([10, 5, 9, 7], [0, 1]);
  expect(run({ ...MANY, rows: 8 })).toBe(2);
  expect(run(MANY)).toBe(2);
  expect(run(MANY, OFTEN)).toBe(3);
  const none = card([10, 9], [0, 1]);
  expect(() => none.run(MANY)).toThrow('0 is not taken');
  expect(() => none.run(MANY, OFTEN)).toThrow('0 is not taken');
  expect(none.state).toMatchObject({ offered: 2, forgotten: 2 });
});

it('are forgotten where there are many shapes, those that were not asked for longest first', () => {
  const { state, run } = card([10, 9]);
  run(MANY);
  for (let rows = 1; rows < 2000; rows++) {
    run({ ...MANY, rows });
    if (rows % 100 === 0) run(MANY);
  }
  expect(state.offered - state.forgotten).toBe(1024);
  const { offered } = state;
  run(MANY);
  run({ ...MANY, rows: 1999 });
  expect(state.offered).toBe(offered);
  run({ ...MANY, rows: 1 });
  expect(state.offered).toBe(offered + 1);
});

it('are offered by results that are said to count', () => {
  const results = new Uint8Array(3 * 96).map((_, i) => Math.floor(i / 96));
  const state = new DataView(results.buffer);
  // CUBLAS_STATUS_SUCCESS, _NOT_SUPPORTED.
  [0, 15, 0].forEach((status, i) => state.setInt32(96 * i + 72, status, true));
  expect(offeredIn(results, 3).map(([first]) => first)).toEqual([0, 2]);
  expect(offeredIn(results, 1)).toHaveLength(1);
});
