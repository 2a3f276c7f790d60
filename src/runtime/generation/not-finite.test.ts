import { assert, asyncProperty, constantFrom, nat } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GenerationOptions } from './generation-options.js';
import { generate } from './generate.js';
import { NOT_FINITE, type NotFinite } from './not-finite.js';
import { argmax } from './softmax.js';
import type { TokenSource } from './token-source.js';

const VOCABULARY = 7;
const EOS = 6;
const PICTURES = 3;

interface Fault {
  readonly picture: number;
  /** New tokens before the logits that are not finite. */
  readonly newTokens: number;
  readonly value: number;
  /** The id whose logit it is; all of them where it is absent. */
  readonly id?: number;
}

/** Finite logits that never choose to stop, but for those of a picture from a step on. */
class FaultySource implements TokenSource {
  readonly vocabSize = VOCABULARY;
  readonly #fault: Fault;
  #pictures = Array.from({ length: PICTURES }, (_, picture) => picture);
  #newTokens = 0;

  constructor(fault: Fault) {
    this.#fault = fault;
  }

  prefill(): Promise<Float32Array> {
    return Promise.resolve(Float32Array.from(this.#pictures.flatMap((picture) => this.#logits(picture))));
  }

  advance(_ids: readonly number[], parents: readonly number[]): Promise<Float32Array> {
    this.#pictures = parents.map((parent) => this.#pictures[parent] ?? -1);
    this.#newTokens += 1;
    return this.prefill();
  }

  #logits(picture: number): number[] {
    const { value, id, ...at } = this.#fault;
    const isFaulty = picture === at.picture && this.#newTokens >= at.newTokens;
    return Array.from({ length: VOCABULARY }, (_, token) =>
      isFaulty && (id === undefined || id === token) ? value : token === EOS ? -50 : (token * 3 + picture) % 5,
    );
  }
}

/** The same where the device finds the likeliest id, as the graphs of devices do. */
function onDevice(source: FaultySource): TokenSource {
  const likeliest = (logits: Float32Array): number[] =>
    Array.from({ length: logits.length / VOCABULARY }, (_, row) => {
      const scores = logits.subarray(row * VOCABULARY, (row + 1) * VOCABULARY);
      const nan = scores.findIndex((score) => Number.isNaN(score));
      const id = nan === -1 ? argmax(scores) : nan;
      return Number.isFinite(scores[id]) ? id : NOT_FINITE;
    });
  return {
    vocabSize: VOCABULARY,
    prefill: () => source.prefill(),
    advance: (ids, parents) => source.advance(ids, parents),
    likeliest: {
      prefill: async () => likeliest(await source.prefill()),
      advance: async (ids, parents) => likeliest(await source.advance(ids, parents)),
    },
  };
}

const request = { contextIds: [[1], [1], [1]], eosTokenIds: [EOS] };
const NO_FAULT: Fault = { picture: -1, newTokens: 0, value: Number.NaN };

const WAYS: readonly (readonly [string, GenerationOptions])[] = [
  ['greedy', {}],
  ['greedy with rules', { repetitionPenalty: 1.2 }],
  ['beams', { numBeams: 3 }],
  ['sampling', { doSample: true, seed: 5, numReturnSequences: 2, topP: 0.9 }],
];

describe.each(WAYS)('logits that are not finite, %s', (_, way) => {
  const options = { ...way, maxNewTokens: 5 } as GenerationOptions;
  const open = [(source: FaultySource) => source, onDevice];

  it('end their picture, which says after how many tokens, and no other', async () => {
    const expected = await generate(new FaultySource(NO_FAULT), request, options);
    await assert(
      asyncProperty(
        nat(PICTURES - 1),
        nat(4),
        constantFrom(Number.NaN, Infinity, -Infinity),
        constantFrom(...open),
        async (picture, newTokens, value, opened) => {
          const failures: [number, NotFinite][] = [];
          const found = await generate(opened(new FaultySource({ picture, newTokens, value })), request, options, {
            onNotFinite: (...failure) => failures.push(failure),
          });
          expect(failures).toEqual([[picture, { newTokens }]]);
          expect(found.toSpliced(picture, 1)).toEqual(expected.toSpliced(picture, 1));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are found in a single id', async () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      const failure = generate(new FaultySource({ picture: 1, newTokens: 2, value, id: 4 }), request, options);
      await expect(failure, String(value)).rejects.toMatchObject({
        code: 'LOGITS_NOT_FINITE',
        details: { newTokens: 2, stage: 'language' },
      });
    }
  });
});

describe('options that leave float32', () => {
  it.each<GenerationOptions>([
    { doSample: true, temperature: 1e-320 },
    { doSample: true, temperature: 1e-39 },
    { doSample: true, temperature: 1e300 },
    { doSample: true, temperature: 1e-20, repetitionPenalty: 1e-20 },
    { doSample: true, temperature: 1e-20, repetitionPenalty: 1e20 },
    { repetitionPenalty: 1e-320 },
    { repetitionPenalty: 1e200 },
    { numBeams: 3, lengthPenalty: -1e308 },
    { numBeams: 3, lengthPenalty: 1e308 },
    { numBeams: 3, lengthPenalty: Number.NaN },
    { numBeams: 3, lengthPenalty: 30, maxNewTokens: 20 },
    { numBeams: 20_000 },
    { numBeams: 1_000_000 },
    { doSample: true, numReturnSequences: 1_000_000 },
  ])('are refused: %j', async (options) => {
    await expect(generate(new FaultySource(NO_FAULT), request, options)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
  });

  it('are finite at the limits', async () => {
    for (const way of [
      { doSample: true, temperature: 1e-30, seed: 1 },
      { doSample: true, temperature: 1e30, seed: 1 },
      { doSample: true, temperature: 1e-20, repetitionPenalty: 1e-9, seed: 1 },
      { doSample: true, temperature: 1e-20, repetitionPenalty: 1e9, seed: 1 },
      { repetitionPenalty: 1e30 },
      { repetitionPenalty: 1e-30 },
      { numBeams: 3, lengthPenalty: 19 },
      { numBeams: 3, lengthPenalty: -4.6 },
    ] as const) {
      const options = { ...way, eosTokenIds: [] } as GenerationOptions;
      const found = await generate(new FaultySource(NO_FAULT), request, options);
      expect(found).toHaveLength(PICTURES);
      for (const [sequence] of found) {
        expect(sequence?.ids).toHaveLength(20);
        expect(Number.isFinite(sequence?.score ?? 0)).toBe(true);
      }
    }
  });
});
