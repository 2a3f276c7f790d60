/** What flows between the parts of the model, against transformers: every stage within 1e-4. */
import type { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { Blip2Config } from '../../src/model/blip2-config.js';
import { imageProgram, promptProgram, tokenProgram } from '../../src/runtime/graph/blip2-programs.js';
import { startProgram, type SessionSources } from '../../src/runtime/session/cpu/start-program.js';
import { emptyPast, type Wires } from '../../src/runtime/session/model/kv-cache.js';
import { decoderPromptWires } from '../../src/runtime/session/cpu/decoder-token-source.js';
import { crossCaches, t5PromptWires, t5TokenWires } from '../../src/runtime/session/cpu/t5-token-source.js';
import { wordWires } from '../../src/runtime/session/model/word-wires.js';
import {
  BATCHES,
  CHECKPOINTS,
  floats,
  goldenSources,
  maxDifference,
  promptOf,
  readRecording,
  readWeight,
  rowsOf,
  tensorOf,
  wordsOf,
  type Recording,
} from './golden.js';

const TOLERANCE = 1e-4;

/** What the token program is given to read all recorded positions at once. */
async function tokenWires(sources: SessionSources<number>, recording: Recording): Promise<Wires> {
  const { text, numQueryTokens } = sources.config;
  const prefix = tensorOf(recording.tensors, 'language_input');
  const prompt = { prefix, ...promptOf(recording, numQueryTokens) };
  if (text.family !== 't5') return decoderPromptWires(text, prompt);
  await using encoder = await startProgram(promptProgram(sources.config), sources);
  const cross = crossCaches(text, await encoder.run(t5PromptWires(text, prompt)));
  const ids = rowsOf(tensorOf(recording.tensors, 'decoder_input_ids'));
  const masks = rowsOf(tensorOf(recording.tensors, 'attention_mask'));
  const tokens = t5TokenWires(text, ids, ids[0]?.length ?? 0, masks);
  return new Map([...emptyPast(text, ids.length), ...cross, ...tokens]);
}

/** The head in its plainest form: every row of the last hidden states times every row of the vocabulary's matrix. */
async function plainLogits(sources: SessionSources<number>, hidden: Float32Array): Promise<Float32Array> {
  const { config, tensors } = sources;
  const { text } = config;
  const { hiddenSize, vocabSize } = text;
  const width = text.family === 'opt' ? text.embedSize : hiddenSize;
  const own = 'language_model.lm_head.weight';
  const tied = { opt: 'model.decoder.embed_tokens', llama: 'model.embed_tokens', t5: 'shared' }[text.family];
  const head = await readWeight(sources, tensors.has(own) ? own : `language_model.${tied}.weight`);
  const scale = text.family === 't5' && text.scaleLogits ? hiddenSize ** -0.5 : 1;
  const logits = new Float32Array((hidden.length / width) * vocabSize);
  for (let at = 0; at < logits.length; at++) {
    const [row, id] = [Math.floor(at / vocabSize) * width, (at % vocabSize) * width];
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (hidden[row + i] ?? NaN) * (head[id + i] ?? NaN);
    logits[at] = scale * sum;
  }
  return logits;
}

/** 1 for each recorded row of logits that is not padding. */
function visibleRows({ text }: Blip2Config, { tensors }: Recording): number[] {
  const name = text.family === 't5' ? 'decoder_input_ids' : 'attention_mask';
  return rowsOf(tensorOf(tensors, name)).flatMap((row) => row.map((value) => (text.family === 't5' ? 1 : value)));
}

const rowOf = (logits: Float32Array, row: number, width: number): Float32Array =>
  logits.subarray(row * width, (row + 1) * width);

const difference = (ours: Tensor, theirs: Tensor): number => maxDifference(floats(ours), floats(theirs));

describe.each(CHECKPOINTS)('%s', (name) => {
  it.each(BATCHES)('%s: image embeddings, query outputs and language inputs', async (batch) => {
    const sources = await goldenSources(name);
    const recording = await readRecording(name, batch);
    const { tensors } = recording;
    const words = wordsOf(recording);
    const instruction = words === undefined ? [] : wordWires(words, sources.config.numQueryTokens);
    await using runner = await startProgram(
      imageProgram(sources.config, ['vision', 'query', 'language_input']),
      sources,
    );
    const wires = await runner.run(new Map([...instruction, ['pixel_values', tensorOf(tensors, 'pixel_values')]]));
    expect(difference(tensorOf(wires, 'vision'), tensorOf(tensors, 'image_embeds'))).toBeLessThan(TOLERANCE);
    expect(difference(tensorOf(wires, 'query'), tensorOf(tensors, 'query_output'))).toBeLessThan(TOLERANCE);
    expect(difference(tensorOf(wires, 'language_input'), tensorOf(tensors, 'language_input'))).toBeLessThan(TOLERANCE);
  });

  it.each(BATCHES)('%s: logits at every position that is not padding', async (batch) => {
    const sources = await goldenSources(name);
    const recording = await readRecording(name, batch);
    const { text } = sources.config;
    const { vocabSize } = text;
    const last = text.family === 'opt' && text.embedSize !== text.hiddenSize ? 'embedded' : 'hidden';
    const { steps, outputs } = tokenProgram(sources.config);
    await using runner = await startProgram({ steps, outputs: [...outputs, last] }, sources);
    const wires = await runner.run(await tokenWires(sources, recording));

    const expected = tensorOf(recording.tensors, 'logits');
    const all = await plainLogits(sources, floats(tensorOf(wires, last)));
    expect(all).toHaveLength(expected.size);
    visibleRows(sources.config, recording).forEach((visible, row) => {
      if (visible === 0) return;
      const worst = maxDifference(rowOf(all, row, vocabSize), rowOf(floats(expected), row, vocabSize));
      expect(worst, `row ${row}`).toBeLessThan(TOLERANCE);
    });

    const [rows = 0, length = 0] = expected.dims;
    for (let row = 0; row < rows; row++) {
      const ours = rowOf(floats(tensorOf(wires, 'logits')), row, vocabSize);
      const theirs = rowOf(floats(expected), (row + 1) * length - 1, vocabSize);
      expect(maxDifference(ours, theirs), `last of ${row}`).toBeLessThan(TOLERANCE);
    }
  });
});
