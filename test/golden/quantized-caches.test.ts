/**
 * What caches of 8-bit integers with a scale for each head of a token do to logits and captions: the demo in float32 on the CPU, with
 * every key and value rounded by the definition once it is made, as `QuantizedCachedAttention` keeps them.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { convertFloats } from '../../src/loader/convert/convert-floats.js';
import { generate } from '../../src/runtime/generation/generate.js';
import type { TokenSource } from '../../src/runtime/generation/token-source.js';
import { parsePreprocessorConfig } from '../../src/runtime/image/preprocessor-config.js';
import { blip2Sessions } from '../../src/runtime/session/cpu/blip2-sessions.js';
import { decoderTokenSource } from '../../src/runtime/session/cpu/decoder-token-source.js';
import { ProgramRunner } from '../../src/runtime/session/cpu/program-runner.js';
import { startProgram, type SessionSources } from '../../src/runtime/session/cpu/start-program.js';
import { tokenProgram } from '../../src/runtime/graph/blip2-programs.js';
import { DEMO, GOLDENS, sourcesOf } from './golden.js';
import { preparePixels } from './prepare-pixels.js';

/** As float16 has it. */
function half(value: number): number {
  const [wide, narrow] = [Float32Array.of(value), new Uint16Array(1)];
  convertFloats(new Uint8Array(wide.buffer), 'F32', new Uint8Array(narrow.buffer), 'F16');
  convertFloats(new Uint8Array(narrow.buffer), 'F16', new Uint8Array(wide.buffer), 'F32');
  return wide[0] ?? NaN;
}

function quantize(values: Float32Array): void {
  const scale = half(Math.max(...values.map(Math.abs)) / 127);
  values.forEach((value, i) => (values[i] = scale === 0 ? 0 : Math.round(value / scale) * scale));
}

/** `[rows, heads, length, headSize]`: of each head the tokens from `past` on. */
function quantizeNew({ data, dims }: Tensor, past: number): Tensor {
  const [rows = 0, heads = 0, length = 0, headSize = 0] = dims;
  const values = Float32Array.from(data as Float32Array);
  for (let head = 0; head < rows * heads; head++) {
    for (let token = past; token < length; token++) {
      const begin = (head * length + token) * headSize;
      quantize(values.subarray(begin, begin + headSize));
    }
  }
  return new Tensor('float32', values, dims);
}

/** The decoder, with caches that are rounded after each run. */
async function quantizingRunner(sources: SessionSources<number>): Promise<ProgramRunner> {
  const runner = await startProgram(tokenProgram(sources.config), sources);
  runner.run = async (given) => {
    const wires = await ProgramRunner.prototype.run.call(runner, given);
    for (const [name, tensor] of wires) {
      const past = given.get(name.replace('present', 'past'));
      if (name.startsWith('present.') && past !== undefined) wires.set(name, quantizeNew(tensor, past.dims[2] ?? 0));
    }
    return wires;
  };
  return runner;
}

/** Logits after the prompt and after each of the tokens that are given, whatever is likeliest. */
async function logitsAlong(source: TokenSource, ids: readonly number[]): Promise<Float32Array[]> {
  const all = [await source.prefill()];
  for (const id of ids) all.push(await source.advance([id], [0]));
  return all;
}

it('move logits no further than float16 does, and change no caption of the demo', async () => {
  const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));
  const entries = (await json(join(GOLDENS, 'demo/goldens.json'))) as { image: string; caption: { ids: number[] } }[];
  const preprocessor = parsePreprocessorConfig(await json(join(DEMO, 'preprocessor_config.json')));
  const sources = sourcesOf(await openCheckpoint(DEMO));
  const { text, numQueryTokens } = sources.config;
  if (text.family === 't5') throw new Error('the demo has a decoder alone');
  const bos = text.bosTokenId;
  await using sessions = await blip2Sessions(sources);
  await using runner = await quantizingRunner(sources);
  let [squares, differences] = [0, 0];
  for (const { image, caption } of entries) {
    const pixels = await preparePixels(join(DEMO, 'pictures', image), preprocessor);
    const prefix = await sessions.encodeImages(pixels.data, [1, 3, pixels.height, pixels.width]);
    const prompt = { prefix, textIds: [[bos]], textMask: [[1]] };
    const exact = await logitsAlong(sessions.tokens(prompt), caption.ids);
    const rounded = await logitsAlong(decoderTokenSource(runner, text, prompt), caption.ids);
    // Nothing of a prompt is read from the caches.
    expect(rounded[0]).toEqual(exact[0]);
    exact.slice(1).forEach((logits, step) => {
      logits.forEach((logit, i) => {
        const apart = Math.abs((rounded[step + 1]?.[i] ?? NaN) - logit);
        squares += logit ** 2;
        differences += apart ** 2;
      });
    });
    const contextIds = [[...Array.from({ length: numQueryTokens }, () => 1), bos]];
    const source = decoderTokenSource(runner, text, prompt);
    const request = { contextIds, eosTokenIds: text.eosTokenIds };
    const [[found] = []] = await generate(source, request, { maxNewTokens: 40 });
    expect(found?.ids, image).toEqual(caption.ids);
  }
  // 1.0e-3. At full size transformers' float16 is 1.7e-3 from its float32 (bench/bulk).
  const relative = Math.sqrt(differences / squares);
  expect(relative).toBeGreaterThan(1e-4);
  expect(relative).toBeLessThan(1.5e-3);
});
