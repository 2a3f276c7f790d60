/** What is chosen among listed logits is what would be chosen among all. */
import { assert, asyncProperty, boolean, constantFrom, double, integer, record } from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { at } from '../../checked-access.js';
import { generate } from './generate.js';
import type { GenerationOptions } from './generation-options.js';
import { randomStream } from './random-stream.js';
import type { ListedStep, Shortlist } from './shortlist.js';
import { logSoftmax } from './softmax.js';
import type { TokenSource, TokenSteps } from './token-source.js';

const VOCABULARY = 40;

interface Model {
  readonly seed: number;
  /** Different logits: few make many equal ones. */
  readonly levels: number;
  /** Logits listed of each row, unless others equal the last of them; as many again are too many. */
  readonly listed: number;
}

/** Logits that depend on all ids before. */
class HashedSource implements TokenSource {
  readonly vocabSize = VOCABULARY;
  readonly #model: Model;
  #rows: readonly (readonly number[])[];
  /** Steps whose logits were asked for after all, and all steps. */
  wholes = 0;
  steps = 0;

  constructor(model: Model, prompts: readonly (readonly number[])[]) {
    this.#model = model;
    this.#rows = prompts;
  }

  readonly listed = (divisor: number): TokenSteps<ListedStep> => ({
    prefill: async () => this.#list(await this.prefill(), divisor),
    advance: async (ids, parents) => this.#list(await this.advance(ids, parents), divisor),
  });

  prefill(): Promise<Float32Array> {
    const { seed, levels } = this.#model;
    const logitsOf = (row: readonly number[]) => {
      const random = randomStream(
        seed,
        row.reduce((hash, id) => (hash * 31 + id + 1) % 1_000_003, row.length),
      );
      return Array.from({ length: VOCABULARY }, () => (Math.floor(random() * levels) / levels) * 8 - 3);
    };
    return Promise.resolve(Float32Array.from(this.#rows.flatMap(logitsOf)));
  }

  advance(ids: readonly number[], parents: readonly number[]): Promise<Float32Array> {
    this.#rows = ids.map((id, row) => [...at(this.#rows, at(parents, row)), id]);
    return this.prefill();
  }

  #list(logits: Float32Array, divisor: number): ListedStep {
    this.steps += 1;
    const rows = this.#rows.map((_, row): Shortlist => {
      const own = logits.subarray(row * VOCABULARY, (row + 1) * VOCABULARY);
      const least = at(own.toSorted(), VOCABULARY - this.#model.listed);
      const ids = Int32Array.from([...own.keys()].filter((id) => at(own, id) >= least));
      const values = Float32Array.from(ids, (id) => at(own, id));
      const isWhole = ids.length < 2 * this.#model.listed;
      return {
        isFinite: true,
        row: isWhole ? { ids, values, least } : null,
        logSum: logSumOf(own.map((logit) => logit / divisor)),
      };
    });
    return { rows, logits: () => ((this.wholes += 1), logits) };
  }
}

/** In double precision, as softmax.ts has it. */
function logSumOf(logits: Float32Array): number {
  const highest = Math.max(...logits);
  return highest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0));
}

const counted = { steps: 0, wholes: 0 };
afterAll(() => {
  // Both ways are gone.
  expect(counted.wholes).toBeGreaterThan(counted.steps / 50);
  expect(counted.wholes).toBeLessThan(0.9 * counted.steps);
});

const strategies = constantFrom<GenerationOptions[]>(
  {},
  { numBeams: 2 },
  { numBeams: 4, lengthPenalty: 2, numReturnSequences: 3 },
  { doSample: true, topK: 3, temperature: 1.7, seed: 1, numReturnSequences: 3 },
  { doSample: true, topK: 10, topP: 0.7, temperature: 0.6, seed: 2 },
  { doSample: true, topK: 0, topP: 0.9, seed: 3 },
  { doSample: true, topK: 0, topP: 0.5, temperature: 0.4, seed: 4, numReturnSequences: 2 },
  { doSample: true, topK: 0, temperature: 0.4, seed: 5 },
);

it('is the same for greedy search, sampling and beams under all rules', async () => {
  await assert(
    asyncProperty(
      record({
        seed: integer({ min: 0, max: 1e6 }),
        levels: constantFrom(3, 60, 1e6),
        listed: integer({ min: 2, max: 30 }),
      }),
      strategies,
      record({
        repetitionPenalty: constantFrom(1, 1.5, 0.8),
        noRepeatNgramSize: constantFrom(0, 1, 2),
        minNewTokens: integer({ min: 0, max: 8 }),
        maxNewTokens: integer({ min: 8, max: 12 }),
      }),
      boolean(),
      double({ min: 0, max: 1, noNaN: true }),
      async (model, strategy, rules, isSeveral, share) => {
        const prompts = isSeveral
          ? [
              [1, 2],
              [1, 3],
              [5, 1],
            ]
          : [[4, 4]];
        const eosTokenIds = [Math.floor(share * (VOCABULARY - 1)), 7];
        const request = { contextIds: prompts, eosTokenIds };
        const options = { ...strategy, ...rules } as GenerationOptions;
        const source = new HashedSource(model, prompts);
        const whole = new HashedSource(model, prompts);
        const expected = await generate(
          {
            vocabSize: VOCABULARY,
            prefill: () => whole.prefill(),
            advance: (ids, parents) => whole.advance(ids, parents),
          },
          request,
          options,
        );
        expect(await generate(source, request, options)).toEqual(expected);
        counted.steps += source.steps;
        counted.wholes += source.wholes;
      },
    ),
    { numRuns: 2000 },
  );
});

it('takes log-probabilities to the last bit', () => {
  const logits = Float32Array.from({ length: 1000 }, (_, id) => Math.sin(id) * 9);
  const all = logSoftmax(logits);
  expect(logits.map((logit) => logit - logSumOf(logits))).toEqual(all);
});
