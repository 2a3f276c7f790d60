/** A model cut between two sessions at any block, or into one session per block, gives the ids it gives whole. */
import { describe, expect, it } from 'vitest';
import { blip2Blocks } from '../../src/model/blocks.js';
import { generate } from '../../src/runtime/generation/generate.js';
import { blip2Sessions } from '../../src/runtime/session/cpu/blip2-sessions.js';
import type { SessionSources } from '../../src/runtime/session/cpu/start-program.js';
import {
  CHECKPOINTS,
  floats,
  goldenSources,
  promptOf,
  readRecording,
  tensorOf,
  type Recording,
  wordsOf,
} from './golden.js';

const NEW_TOKENS = 12;

/** New ids of greedy search, from the recorded pixels and prompts on. */
async function newIds(sources: SessionSources<number>, recording: Recording): Promise<readonly number[][]> {
  const { config } = sources;
  const pixels = tensorOf(recording.tensors, 'pixel_values');
  await using sessions = await blip2Sessions(sources);
  const prefix = await sessions.encodeImages(floats(pixels), pixels.dims, wordsOf(recording));
  const prompt = { prefix, ...promptOf(recording, config.numQueryTokens) };
  const request = { contextIds: prompt.textIds, eosTokenIds: config.text.eosTokenIds };
  const sequences = await generate(sessions.tokens(prompt), request, { maxNewTokens: NEW_TOKENS });
  return sequences.map(([first]) => [...(first?.ids ?? [])]);
}

/** What transformers recorded: the ids after the prompt or the start id, up to the stop id. */
function recordedIds({ answers, tensors }: Recording, sources: SessionSources<number>): number[][] {
  const { text } = sources.config;
  const prompt = text.family === 't5' ? 1 : (tensorOf(tensors, 'input_ids').dims[1] ?? 0);
  return (answers['greedy']?.ids ?? []).map((row) => {
    const fresh = row.slice(prompt, prompt + NEW_TOKENS);
    const stop = fresh.findIndex((id) => text.eosTokenIds.includes(id));
    return stop < 0 ? fresh : fresh.slice(0, stop + 1);
  });
}

/** These have every kind of block, and every wire between two. */
const CUT_EVERYWHERE = [
  'tiny-opt',
  'tiny-opt-postnorm',
  'tiny-opt-projected',
  'tiny-flan-t5',
  'tiny-instructblip-llama',
];

describe.each(CUT_EVERYWHERE)('%s', (name) => {
  it('gives the recorded ids cut in two after every block', async () => {
    const recording = await readRecording(name, 'padded_batch');
    const whole = await goldenSources(name);
    const blocks = blip2Blocks(whole.config).map((block) => block.name);
    const expected = recordedIds(recording, whole);
    expect(expected).toHaveLength(2);
    for (const [cut, block] of blocks.entries()) {
      const placeOf = (other: { readonly name: string }) => (blocks.indexOf(other.name) <= cut ? 0 : 1);
      expect(await newIds({ ...whole, placeOf }, recording), `cut after ${block}`).toEqual(expected);
    }
  });
});

describe.each(CHECKPOINTS)('%s', (name) => {
  it('gives the recorded ids with every block in a session of its own', async () => {
    const recording = await readRecording(name, 'batch');
    const whole = await goldenSources(name);
    const blocks = blip2Blocks(whole.config).map((block) => block.name);
    const placeOf = (block: { readonly name: string }) => blocks.indexOf(block.name);
    expect(await newIds({ ...whole, placeOf }, recording)).toEqual(recordedIds(recording, whole));
  });
});
