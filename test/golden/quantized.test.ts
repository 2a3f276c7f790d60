/**
 * Models with quantised weights on the CPU, against the same models in float32 with the weights that the integers and
 * scales stand for: what remains is that `MatMulNBits` rounds its rows to 8 bits.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, type Checkpoint, type StoredTensor } from '../../src/loader/index.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { blip2Blocks } from '../../src/model/blocks.js';
import { quantizableWeights } from '../../src/model/quantizable-weights.js';
import { CaptionEngine } from '../../src/runtime/engine/caption-engine.js';
import { Captioner } from '../../src/runtime/captioner/captioner.js';
import type { DeviceOptions } from '../../src/runtime/device/device-options.js';
import { tokenTableName } from '../../src/runtime/graph/vocabulary.js';
import { openCaptionModel } from '../../src/runtime/session/open-caption-model.js';
import { quantizeBlocks } from '../../src/runtime/session/cpu/quantize-blocks.js';
import { QUANT_SCHEMES, quantizedNames, type QuantScheme } from '../../src/tensor/quantized.js';
import { safetensorsBytes } from '../loader/safetensors-bytes.js';
import { languageQuant } from './quantized-checkpoint.js';
import { DEMO, floats, GOLDENS, promptOf, readRecording, tensorOf, wordsOf, type Recording } from './golden.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-quant-'));
});
afterAll(() => rm(folder, { recursive: true }));

const bytesOf = async ({ file, begin, end }: StoredTensor): Promise<Uint8Array> =>
  Uint8Array.from((await readFile(file)).subarray(begin, end));

/** The checkpoint in float32, its linear weights rounded to what the integers and scales stand for. */
async function dequantized(checkpoint: Checkpoint, scheme: QuantScheme): Promise<Checkpoint> {
  const config = parseBlip2Config(checkpoint.config);
  const table = tokenTableName(config.text, checkpoint.tensors);
  const { tensors } = await quantizeBlocks(config, checkpoint, {
    quant: languageQuant(checkpoint, scheme),
    cacheFolder: folder,
  });
  const rounded = [];
  for (const { name, source } of blip2Blocks(config).flatMap((block) =>
    quantizableWeights(block, config, checkpoint.tensors, table),
  )) {
    const names = quantizedNames(name, scheme);
    const [values, scales, weight] = [
      tensors.get(names.values),
      tensors.get(names.scales),
      checkpoint.tensors.get(source),
    ];
    if (values === undefined || scales === undefined || weight === undefined)
      throw new Error(`${name} is not quantised`);
    const [rows = 0, columns = 0] = weight.shape;
    const bytes = dequantize(await bytesOf(values), await bytesOf(scales), { scheme, rows, columns });
    rounded.push({ name, dtype: 'F32', shape: weight.shape, bytes: new Uint8Array(bytes.buffer) });
  }
  expect(rounded.length).toBeGreaterThan(10);
  const file = join(folder, `${scheme}.safetensors`);
  await writeFile(file, safetensorsBytes(rounded));
  const replaced = await openCheckpoint(file);
  return { ...checkpoint, tensors: new Map([...checkpoint.tensors, ...replaced.tensors]) };
}

interface Matrix {
  readonly scheme: QuantScheme;
  readonly rows: number;
  readonly columns: number;
}

function dequantize(values: Uint8Array, scales: Uint8Array, { scheme, rows, columns }: Matrix): Float32Array {
  const [blockSize, zero] = scheme === 'int8' ? [32, 128] : [64, 8];
  const blocks = Math.ceil(columns / blockSize);
  const halves = new Uint16Array(scales.buffer);
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    const index = row * blocks * blockSize + column;
    const byte = values[scheme === 'int8' ? index : index >> 1] ?? NaN;
    const integer = scheme === 'int8' ? byte : index % 2 === 0 ? byte & 15 : byte >> 4;
    return (integer - zero) * halfToFloat(halves[row * blocks + Math.floor(column / blockSize)] ?? NaN);
  });
}

function halfToFloat(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

async function prefillLogits(
  checkpoint: Checkpoint,
  recording: Recording,
  quant = new Map<string, QuantScheme>(),
): Promise<Float32Array> {
  const config = parseBlip2Config(checkpoint.config);
  await using model = await openCaptionModel(config, checkpoint, {
    provider: 'cpu',
    threads: 1,
    quant,
    cacheFolder: folder,
  });
  const pixels = tensorOf(recording.tensors, 'pixel_values');
  const prefix = await model.encodeImages(floats(pixels), pixels.dims, wordsOf(recording));
  return await model.tokens({ prefix, ...promptOf(recording, config.numQueryTokens) }).prefill();
}

const norm = (values: Float32Array): number => Math.hypot(...values);
const distance = (a: Float32Array, b: Float32Array): number =>
  norm(a.map((value, i) => value - (b[i] ?? NaN))) / norm(b);

describe.each(['tiny-opt-projected', 'tiny-instructblip-llama', 'tiny-flan-t5', 'tiny-t5-relu-tied'])('%s', (name) => {
  it.each(QUANT_SCHEMES)('%s: logits of the weights that are stored', async (scheme) => {
    const checkpoint = await openCheckpoint(join(GOLDENS, name));
    const recording = await readRecording(name, 'batch');
    const [whole, rounded, ours] = [
      await prefillLogits(checkpoint, recording),
      await prefillLogits(await dequantized(checkpoint, scheme), recording),
      await prefillLogits(checkpoint, recording, languageQuant(checkpoint, scheme)),
    ];
    expect(distance(ours, rounded)).toBeLessThan(0.03);
    // Rounding weights to 4 bits moves these logits by a quarter to a half: they are in use.
    if (scheme === 'int4') expect(distance(ours, whole)).toBeGreaterThan(0.2);
  });
});

interface Entry {
  readonly image: string;
  readonly caption: { readonly text: string };
}

async function captionerWith(checkpoint: Checkpoint, options: DeviceOptions): Promise<Captioner> {
  return new Captioner(parseBlip2Config(checkpoint.config), await CaptionEngine.create(checkpoint, options));
}

describe('the demo', () => {
  it.each([
    ['int8', 16],
    ['int4', 14],
  ] as const)('%s: at least %i of 16 captions are those of float32', async (scheme, least) => {
    const entries = JSON.parse(await readFile(join(GOLDENS, 'demo/goldens.json'), 'utf8')) as Entry[];
    const checkpoint = await openCheckpoint(DEMO);
    const quant = languageQuant(checkpoint, scheme);
    const converted: number[] = [];
    const options = { quant, cacheFolder: folder, threads: 1, onConvert: (bytes: number) => converted.push(bytes) };
    await using captioner = await captionerWith(checkpoint, options);
    expect(converted.length).toBeGreaterThan(0);
    let equal = 0;
    const pictures = entries.map(({ image }) => join(DEMO, 'pictures', image));
    for await (const { text, index } of captioner.caption(pictures, { batchSize: 4 })) {
      if (text === entries[index]?.caption.text) equal += 1;
    }
    expect(equal).toBeGreaterThanOrEqual(least);
  });

  it('keeps a table for tokens where the head is the only one', async () => {
    const checkpoint = await openCheckpoint(DEMO);
    const table = 'language_model.model.decoder.embed_tokens.weight';
    const head = 'language_model.lm_head';
    const tensors = new Map(checkpoint.tensors);
    const stored = tensors.get(table) ?? tensors.get(`${head}.weight`);
    if (stored === undefined) throw new Error('the demo has no token table');
    tensors.delete(table);
    tensors.set(`${head}.weight`, stored);
    const quant = new Map([[head, 'int8' as const]]);
    const options = { quant, cacheFolder: folder, threads: 1 };
    await using captioner = await captionerWith({ ...checkpoint, tensors }, options);
    for await (const { text } of captioner.caption(join(DEMO, 'pictures/shape-00.png'))) expect(text).not.toBe('');
  });

  it('refuses to quantise what is no block', async () => {
    const quant = new Map([['language_model', 'int8' as const]]);
    const creating = captionerWith(await openCheckpoint(DEMO), { quant, cacheFolder: folder });
    await expect(creating).rejects.toMatchObject({ code: 'QUANT_BLOCK_UNKNOWN' });
  });
});
