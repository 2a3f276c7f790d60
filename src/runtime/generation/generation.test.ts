import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Blip2Error } from '../../errors.js';
import { generate } from './generate.js';
import type { GenerationOptions } from './generation-options.js';
import type { TokenEvent } from './generation-request.js';
import { randomStream } from './random-stream.js';
import { applySamplingFilters } from './sampling-filters.js';
import { wholeRow } from './score-row.js';
import { softmax } from './softmax.js';
import type { TokenSource } from './token-source.js';

interface Tables {
  readonly last: number[][];
  readonly before: number[][];
  readonly length: number[][];
}

interface RecordedModel extends Tables {
  readonly eos: number[];
  readonly prompts: number[][];
  readonly runs: {
    readonly options: Readonly<Record<string, number | boolean | string>>;
    readonly ids: number[][][];
    readonly scores: number[][] | null;
  }[];
}

const recorded = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/generation/generation.json', import.meta.url), 'utf8'),
) as {
  readonly models: RecordedModel[];
  readonly warpers: {
    readonly logits: (number | null)[][];
    readonly warped: { temperature: number; topK: number; topP: number; scores: (number | null)[][] }[];
  };
};

/** The recorder's language model: logits are a sum of table rows, chosen by the last two ids and the length. */
class TableSource implements TokenSource {
  readonly vocabSize: number;
  readonly #tables: Tables;
  #rows: readonly (readonly number[])[];
  /** Rows fed in each step. */
  readonly batches: number[] = [];

  constructor(tables: Tables, prompts: readonly (readonly number[])[]) {
    this.#tables = tables;
    this.#rows = prompts;
    this.vocabSize = tables.last[0]?.length ?? 0;
  }

  prefill(): Promise<Float32Array> {
    return Promise.resolve(Float32Array.from(this.#rows.flatMap((row) => this.#logits(row))));
  }

  advance(ids: readonly number[], parents: readonly number[]): Promise<Float32Array> {
    this.batches.push(ids.length);
    this.#rows = ids.map((id, row) => [...(this.#rows[parents[row] ?? -1] ?? []), id]);
    return this.prefill();
  }

  #logits(row: readonly number[]): number[] {
    const { last, before, length } = this.#tables;
    return Array.from({ length: this.vocabSize }, (_, id) => {
      const at = (table: number[][], index: number | undefined): number => table[index ?? -1]?.[id] ?? Number.NaN;
      return at(last, row.at(-1)) + at(before, row.at(-2)) + at(length, row.length);
    });
  }
}

const camel = (options: RecordedModel['runs'][number]['options']): GenerationOptions =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );

const [model] = recorded.models;
if (model === undefined) throw new Error('no recorded model');
const request = { contextIds: model.prompts, eosTokenIds: model.eos };
const newSource = (): TableSource => new TableSource(model, model.prompts);

describe.each(recorded.models)('generate equals transformers with stop ids $eos', (table) => {
  it.each(table.runs)('$options', async ({ options, ids, scores }) => {
    const source = new TableSource(table, table.prompts);
    const result = await generate(source, { contextIds: table.prompts, eosTokenIds: table.eos }, camel(options));
    expect(result.map((sequences) => sequences.map((sequence) => sequence.ids))).toEqual(ids);
    result.forEach((sequences, picture) => {
      sequences.forEach(({ score }, rank) => {
        const expected = scores?.[picture]?.[rank];
        if (expected === undefined) expect(score).toBeNull();
        else expect(score).toBeCloseTo(expected, 4);
      });
    });
  });

  it('and one by one as in a batch', async () => {
    for (const options of [{ maxNewTokens: 12 }, { maxNewTokens: 12, numBeams: 3 }]) {
      const batch = await generate(
        new TableSource(table, table.prompts),
        { contextIds: table.prompts, eosTokenIds: table.eos },
        options,
      );
      const singles = table.prompts.map(async (prompt) =>
        generate(new TableSource(table, [prompt]), { contextIds: [prompt], eosTokenIds: table.eos }, options),
      );
      expect((await Promise.all(singles)).flat()).toEqual(batch);
    }
  });
});

describe('applySamplingFilters equals the warpers of transformers', () => {
  it.each(recorded.warpers.warped)('temperature $temperature, top-k $topK, top-p $topP', ({ scores, ...filters }) => {
    const rows = recorded.warpers.logits.map((row) => Float32Array.from(row, (value) => value ?? -Infinity));
    for (const row of rows) applySamplingFilters(wholeRow(row), filters);
    expect(rows).toEqual(scores.map((row) => Float32Array.from(row, (value) => value ?? -Infinity)));
  });
});

describe('sampling', () => {
  const sample = (options: Partial<GenerationOptions>, streams?: readonly number[]): ReturnType<typeof generate> =>
    generate(newSource(), streams ? { ...request, randomStreams: streams } : request, {
      doSample: true,
      seed: 5,
      ...options,
    } as GenerationOptions);

  it('repeats itself with a seed and differs with another', async () => {
    expect(await sample({})).toEqual(await sample({}));
    expect(await sample({ seed: 6 })).not.toEqual(await sample({}));
  });

  it('draws the same for a picture alone as in a batch', async () => {
    const batch = await sample({ numReturnSequences: 2 });
    const third = model.prompts.slice(2);
    const alone = await generate(
      new TableSource(model, third),
      { contextIds: third, eosTokenIds: model.eos, randomStreams: [2] },
      { doSample: true, seed: 5, numReturnSequences: 2 },
    );
    expect(alone).toEqual(batch.slice(2));
  });

  it('draws ids as often as their probability says', async () => {
    const draws = 4000;
    const first = Float32Array.from((await newSource().prefill()).subarray(0, 20));
    applySamplingFilters(wholeRow(first), { temperature: 1.5, topK: 6, topP: 1 });
    const counts = Array.from({ length: 20 }, () => 0);
    const single = { contextIds: model.prompts.slice(0, 1), eosTokenIds: model.eos };
    const options = { doSample: true, seed: 1, temperature: 1.5, topK: 6, maxNewTokens: 1 } as const;
    const [sequences] = await generate(new TableSource(model, single.contextIds), single, {
      ...options,
      numReturnSequences: draws,
    });
    for (const { ids } of sequences ?? []) counts[ids[0] ?? -1] = (counts[ids[0] ?? -1] ?? 0) + 1;
    softmax(first).forEach((probability, id) => {
      // Four standard deviations of a binomial count.
      const spread = 4 * Math.sqrt(draws * probability * (1 - probability));
      expect(Math.abs((counts[id] ?? 0) - draws * probability)).toBeLessThanOrEqual(spread);
    });
  });

  it('gives every stream numbers of its own, spread over [0, 1)', () => {
    const means = [0, 1, 2, 3].map((stream) => {
      const next = randomStream(42, stream);
      const values = Array.from({ length: 2000 }, next);
      expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    });
    expect(new Set(means).size).toBe(4);
    for (const mean of means) expect(mean).toBeCloseTo(0.5, 1);
  });
});

describe('generate', () => {
  it('reports each token as it is chosen, and waits for the listener', async () => {
    const events: TokenEvent[] = [];
    let waiting = 0;
    const onToken = async (event: TokenEvent): Promise<void> => {
      expect(++waiting).toBe(1);
      await Promise.resolve();
      waiting--;
      events.push(event);
    };
    const result = await generate(newSource(), request, { maxNewTokens: 12 }, { onToken });
    result.forEach(([sequence], picture) => {
      expect(events.filter((event) => event.picture === picture).map((event) => event.id)).toEqual(sequence?.ids);
    });
  });

  it('drops finished sequences from the batch', async () => {
    const source = newSource();
    const result = await generate(source, request, { maxNewTokens: 12 });
    const lengths = result.map(([sequence]) => sequence?.ids.length ?? 0);
    expect(source.batches).toEqual(
      Array.from({ length: Math.max(...lengths) - 1 }, (_, step) => lengths.filter((n) => n > step + 1).length),
    );
  });

  it('stops before the step after an abort', async () => {
    for (const numBeams of [1, 3]) {
      const source = newSource();
      const controller = new AbortController();
      const advance = source.advance.bind(source);
      source.advance = async (ids, parents) => {
        controller.abort(new Error('enough'));
        return advance(ids, parents);
      };
      const hooks = { signal: controller.signal };
      await expect(generate(source, request, { numBeams, minNewTokens: 5 }, hooks)).rejects.toThrow('enough');
      expect(source.batches).toHaveLength(1);
    }
  });

  it.each([
    { maxNewTokens: 0 },
    { maxNewTokens: 1.5 },
    { minNewTokens: 30 },
    { numBeams: 0 },
    { repetitionPenalty: 0 },
    { numReturnSequences: 2 },
    { numBeams: 2, numReturnSequences: 3 },
    { numBeams: 2, lengthPenalty: Number.NaN },
    { temperature: 0.5 },
    { doSample: true, temperature: 0 },
    { doSample: true, topP: 1.5 },
    { doSample: true, topK: -1 },
    { doSample: true, numBeams: 2 },
    { eosTokenIds: [-1] },
  ])('refuses %j', async (options) => {
    const failure = generate(newSource(), request, options as GenerationOptions);
    await expect(failure).rejects.toThrow(Blip2Error);
    await expect(failure).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});
