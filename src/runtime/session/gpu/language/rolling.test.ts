/** Sequences that begin and end at any time say what they say alone. */
import { join } from 'node:path';
import { array, assert, asyncProperty, integer, nat, record } from 'fast-check';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { GOLDENS } from '../../../../../test/golden/golden.js';
import { openOnHost } from '../../../../../test/golden/open-on-host.js';
import { openCheckpoint } from '../../../../loader/index.js';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import { generate } from '../../../generation/generate.js';
import type { GenerationOptions } from '../../../generation/generation-options.js';
import { resolveGenerationOptions } from '../../../generation/generation-options.js';
import { OpenSequences, type StepSettings } from '../../../generation/open-sequences.js';
import type { LanguagePrompt } from '../../model/language-prompt.js';
import { HostMemory } from '../../../device/memory/host-memory.js';
import type { EngineDevice } from '../device/engine-device.js';

const ROWS = 6;
const PICTURES = 12;

/** What is asked of each picture, how many begin together, and how many steps later. */
const courses = record({
  textLengths: array(integer({ min: 1, max: 3 }), { minLength: PICTURES, maxLength: PICTURES }),
  groups: array(record({ count: integer({ min: 1, max: 4 }), steps: nat(4) }), {
    minLength: PICTURES,
    maxLength: PICTURES,
  }),
});

const OPTIONS: readonly (readonly [string, GenerationOptions])[] = [
  ['greedy', { maxNewTokens: 9 }],
  ['greedy with rules that read the logits', { maxNewTokens: 9, minNewTokens: 3, repetitionPenalty: 1.3 }],
  ['sampling two answers', { maxNewTokens: 9, doSample: true, numReturnSequences: 2, seed: 5 }],
];

/** Each picture has those of its number; or all the same ones. */
const COURSES: readonly (readonly [string, readonly GenerationOptions[]])[] = [
  ...OPTIONS.map(([name, options]) => [name, [options]] as const),
  ['each as it was asked', [...OPTIONS.map(([, options]) => options), { maxNewTokens: 2 }]],
];

/** Pictures that are not wanted any more when the third group begins. */
const isDropped = (picture: number): boolean => picture % 4 === 1;

class WatchedMemory extends HostMemory {
  largestBytes = 0;

  override allocate(bytes: number): bigint {
    this.largestBytes = Math.max(this.largestBytes, bytes);
    return super.allocate(bytes);
  }
}

/** A device that records steps, as far as rows and shapes show it. */
const recording: Partial<EngineDevice> = { canRecord: true };

describe.each(['tiny-opt', 'tiny-opt-postnorm', 'tiny-instructblip-llama', 'tiny-flan-t5'])('%s', (family) => {
  describe.each(COURSES)('%s', (_, courseOptions) => {
    it.each([['steps of any number of rows', {}] as const, ['recorded steps', recording] as const])(
      'says of each picture what it says alone: %s',
      async (__, device) => {
        const checkpoint = await openCheckpoint(join(GOLDENS, family));
        const config = parseBlip2Config(checkpoint.config);
        const memory = new WatchedMemory();
        const devices = { device: () => ({ ...device, memory }) };
        await using model = await openOnHost(config, checkpoint.tensors, () => true, devices);
        const size = config.numQueryTokens * config.text.hiddenSize;
        const prefixOf = (picture: number) =>
          Float32Array.from({ length: size }, (___, i) => Math.sin(1 + i * (picture + 1)) / 2);
        const optionsOf = (picture: number): GenerationOptions => courseOptions[picture % courseOptions.length] ?? {};
        const settingsOf = (picture: number) =>
          resolveGenerationOptions(optionsOf(picture), config.text) as StepSettings;
        const isT5 = config.text.family === 't5';
        /** What answers begin with. */
        const contextOf = (text: readonly number[]) =>
          config.text.family === 't5' ? [config.text.decoderStartTokenId] : text;
        const textOf = (picture: number, length: number) =>
          Array.from({ length }, (___, i) => 2 + ((picture * 3 + i) % 5));
        const alone = new Map<string, unknown>();
        const expected = async (picture: number, length: number) => {
          const key = `${picture} ${length}`;
          const known = alone.get(key);
          if (known !== undefined) return known;
          const text = textOf(picture, length);
          const prompt = promptOf([picture], [text]);
          const request = {
            contextIds: [contextOf(text)],
            eosTokenIds: config.text.eosTokenIds,
            randomStreams: [picture],
          };
          const [found] = await generate(model.tokens(prompt), request, optionsOf(picture));
          alone.set(key, found);
          return found;
        };
        const promptOf = (pictures: readonly number[], texts: readonly number[][]): LanguagePrompt => {
          const prefix = new Float32Array(pictures.length * size);
          pictures.forEach((picture, row) => prefix.set(prefixOf(picture), row * size));
          const width = Math.max(...texts.map(({ length }) => length));
          const pad = (row: readonly number[], fill: number) => {
            const padding = Array<number>(width - row.length).fill(fill);
            return isT5 ? [...row, ...padding] : [...padding, ...row];
          };
          return {
            prefix: new Tensor('float32', prefix, [pictures.length, config.numQueryTokens, config.text.hiddenSize]),
            textIds: texts.map((text) => pad(text, 1)),
            textMask: texts.map((text) =>
              pad(
                text.map(() => 1),
                0,
              ),
            ),
          };
        };
        await assert(
          asyncProperty(courses, async ({ textLengths, groups }) => {
            const source = model.rolling({ rows: 2 * ROWS, newTokens: 9 });
            if (source === null) throw new Error('prompts cannot join');
            const open = new OpenSequences(source, {});
            const begun = new Set<number>();
            const dropped = new Set<number>();
            const found = new Map<number, unknown>();
            const keep = (ended: Awaited<ReturnType<typeof open.step>>) => {
              for (const { picture, sequences } of ended) {
                found.set(picture, sequences);
                begun.delete(picture);
              }
            };
            let next = 0;
            let cacheBytes = 0;
            for (const [turn, { count, steps }] of groups.entries()) {
              if (turn === 2) {
                for (const picture of [...begun].filter(isDropped)) {
                  open.drop(picture);
                  dropped.add(picture);
                }
              }
              // Two sequences a picture at most.
              const most = ROWS - Math.ceil(open.count / 2);
              const pictures = Array.from(
                { length: Math.min(count, PICTURES - next, Math.floor(most)) },
                (___, i) => next + i,
              );
              next += pictures.length;
              const texts = pictures.map((picture) => textOf(picture, textLengths[picture] ?? 1));
              if (pictures.length > 0) {
                const prompt = promptOf(pictures, texts);
                for (const picture of pictures) begun.add(picture);
                const asked = {
                  contextIds: texts.map(contextOf),
                  randomStreams: pictures,
                  settings: pictures.map(settingsOf),
                };
                keep(await open.admit({ prompt, pictures, ...asked }));
                // The caches, made once: nothing else is as large.
                cacheBytes ||= memory.largestBytes;
                expect(memory.largestBytes).toBe(cacheBytes);
              }
              for (let step = 0; step < steps && open.count > 0; step++) keep(await open.step());
            }
            while (open.count > 0) keep(await open.step());
            for (const [picture, sequences] of found) {
              expect(sequences, `picture ${picture}`).toEqual(await expected(picture, textLengths[picture] ?? 1));
            }
            expect(found.size).toBe(next - dropped.size);
            expect([...dropped].filter((picture) => found.has(picture))).toEqual([]);
          }),
          { numRuns: 12 },
        );
      },
    );
  });
});

it.each(['language_model.encoder', 'language_model.decoder'])(
  "begins none of T5's prompts beside others where weights are copied for each: %s",
  async (streamed) => {
    const { config: json, tensors } = await openCheckpoint(join(GOLDENS, 'tiny-flan-t5'));
    const config = parseBlip2Config(json);
    await using model = await openOnHost(config, tensors, (block) => !block.startsWith(streamed));
    expect(model.rolling({ rows: ROWS, newTokens: 9 })).toBeNull();
  },
);
