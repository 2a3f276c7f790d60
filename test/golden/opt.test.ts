/** OPT checkpoints against transformers: every stage within 1e-4, ids equal, whole and cut in two at every block. */
import { describe, expect, it } from 'vitest';
import { blip2Blocks } from '../../src/model/blocks.js';
import { imageProgram, tokenProgram } from '../../src/runtime/graph/blip2-programs.js';
import { Blip2Sessions, startProgram, type SessionSources } from '../../src/runtime/session/blip2-sessions.js';
import { optPromptWires } from '../../src/runtime/session/opt-token-source.js';
import {
  BATCHES,
  floats,
  goldenSources,
  greedy,
  maxDifference,
  readRecording,
  readWeight,
  rowsOf,
  tensorOf,
  type Recording,
} from './golden.js';

const TOLERANCE = 1e-4;

function promptOf({ tensors }: Recording, prefixTokens: number) {
  const text = (name: string) => rowsOf(tensorOf(tensors, name)).map((row) => row.slice(prefixTokens));
  return { textIds: text('input_ids'), textMask: text('attention_mask') };
}

async function captionIds(sources: SessionSources<number>, recording: Recording, setting: string) {
  const { config } = sources;
  const pixels = tensorOf(recording.tensors, 'pixel_values');
  const answer = recording.answers[setting];
  if (answer === undefined) throw new Error(`no recorded setting ${setting}`);
  await using sessions = await Blip2Sessions.create(sources);
  const prefix = await sessions.encodeImages(floats(pixels), pixels.dims);
  const prompt = promptOf(recording, config.numQueryTokens);
  const stop = { eos: config.text.eosTokenIds[0] ?? -1, pad: config.text.padTokenId };
  const ids = await greedy(sessions.tokens({ prefix, ...prompt }), answer.options, stop);
  const promptIds = rowsOf(tensorOf(recording.tensors, 'input_ids'));
  return { ids: ids.map((row, r) => [...(promptIds[r] ?? []), ...row]), expected: answer.ids };
}

describe.each(['tiny-opt', 'tiny-opt-postnorm'])('%s', (name) => {
  describe.each(BATCHES)('%s', (batch) => {
    it('makes the image embeddings, query outputs and language inputs of transformers', async () => {
      const sources = await goldenSources(name);
      const { tensors } = await readRecording(name, batch);
      const outputs = ['vision', 'query', 'language_input'];
      await using runner = await startProgram(imageProgram(sources.config, outputs), sources);
      const wires = await runner.run(new Map([['pixel_values', tensorOf(tensors, 'pixel_values')]]));
      const answers = ['image_embeds', 'query_output', 'language_input'];
      answers.forEach((answer, i) => {
        const ours = floats(tensorOf(wires, outputs[i] ?? ''));
        expect(maxDifference(ours, floats(tensorOf(tensors, answer))), answer).toBeLessThan(TOLERANCE);
      });
    });

    it('makes the logits of transformers at every position that is not padding', async () => {
      const sources = await goldenSources(name);
      const recording = await readRecording(name, batch);
      const { config } = sources;
      const { outputs, ...program } = tokenProgram(config);
      await using runner = await startProgram({ ...program, outputs: [...outputs, 'hidden'] }, sources);
      const prefix = tensorOf(recording.tensors, 'language_input');
      if (config.text.family !== 'opt') throw new Error('not OPT');
      const prompt = { prefix, ...promptOf(recording, config.numQueryTokens) };
      const wires = await runner.run(optPromptWires(config.text, prompt));
      const hidden = floats(tensorOf(wires, 'hidden'));
      const table = await readWeight(sources, 'language_model.model.decoder.embed_tokens.weight');
      const expected = tensorOf(recording.tensors, 'logits');
      const { hiddenSize, vocabSize } = config.text;
      const visible = rowsOf(tensorOf(recording.tensors, 'attention_mask')).flat();
      const all = floats(expected);
      visible.forEach((shown, row) => {
        if (shown === 0) return;
        const x = hidden.subarray(row * hiddenSize, (row + 1) * hiddenSize);
        const logits = Float32Array.from({ length: vocabSize }, (_, id) =>
          x.reduce((sum, value, i) => sum + value * (table[id * hiddenSize + i] ?? NaN), 0),
        );
        const wanted = all.subarray(row * vocabSize, (row + 1) * vocabSize);
        expect(maxDifference(logits, wanted), `row ${row}`).toBeLessThan(TOLERANCE);
      });
      const [rows = 0, length = 0] = expected.dims;
      const last = Array.from({ length: rows }, (_, r) => ((r + 1) * length - 1) * vocabSize);
      const wantedLast = Float32Array.from(last.flatMap((begin) => [...all.subarray(begin, begin + vocabSize)]));
      expect(maxDifference(floats(tensorOf(wires, 'logits')), wantedLast)).toBeLessThan(TOLERANCE);
    });

    it.each(['greedy', 'greedy_min'])('gives the ids of transformers: %s', async (setting) => {
      const { ids, expected } = await captionIds(await goldenSources(name), await readRecording(name, batch), setting);
      expect(ids).toEqual(expected);
    });
  });

  it('gives the same ids cut in two at every block', async () => {
    const recording = await readRecording(name, 'padded_batch');
    const { config } = await goldenSources(name);
    const blocks = blip2Blocks(config).map((block) => block.name);
    for (const [cut, block] of blocks.entries()) {
      const sources = await goldenSources(name, ({ name: own }) => (blocks.indexOf(own) <= cut ? 0 : 1));
      const { ids, expected } = await captionIds(sources, recording, 'greedy');
      expect(ids, `cut after ${block}`).toEqual(expected);
    }
  });

  it('gives the same ids with every block in a session of its own', async () => {
    const recording = await readRecording(name, 'batch');
    const blocks = blip2Blocks((await goldenSources(name)).config).map((block) => block.name);
    const sources = await goldenSources(name, ({ name: own }) => blocks.indexOf(own));
    const { ids, expected } = await captionIds(sources, recording, 'greedy');
    expect(ids).toEqual(expected);
  });
});
