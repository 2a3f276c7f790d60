/** One number of a checkpoint that is not finite: no way of decoding, on no engine, makes a caption of it. */
import { cp, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { Captioner, createCaptioner } from '../../src/runtime/captioner/captioner.js';
import { CaptionEngine } from '../../src/runtime/engine/caption-engine.js';
import { generate } from '../../src/runtime/generation/generate.js';
import type { GenerationOptions } from '../../src/runtime/generation/generation-options.js';
import type { CaptionModel } from '../../src/runtime/session/model/caption-model.js';
import { blip2Sessions } from '../../src/runtime/session/cpu/blip2-sessions.js';
import { QUANT_SCHEMES } from '../../src/tensor/quantized.js';
import { DEMO, goldenSources, GOLDENS } from '../golden/golden.js';
import { openOnHost } from '../golden/open-on-host.js';
import { languageQuant } from '../golden/quantized-checkpoint.js';

const WAYS: readonly (readonly [string, GenerationOptions])[] = [
  ['greedy', {}],
  ['greedy with rules', { repetitionPenalty: 1.1 }],
  ['beams', { numBeams: 3 }],
  ['sampling', { doSample: true, seed: 3 }],
];

const pictures = ['00', '05'].map((number) => join(DEMO, `pictures/shape-${number}.png`));

/** The demo with one value of a float32 tensor replaced. */
async function demoWith(tensor: string, value: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-not-finite-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(DEMO, folder, { recursive: true, filter: (path) => !path.includes('pictures') });
  const { tensors } = await openCheckpoint(folder);
  const stored = tensors.get(tensor);
  if (stored?.dtype !== 'F32') throw new Error(`no float32 tensor ${tensor}`);
  const handle = await open(stored.file, 'r+');
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  await handle.write(bytes, 0, 4, stored.begin + 4 * Math.floor((stored.end - stored.begin) / 8));
  await handle.close();
  return folder;
}

describe('captions of a checkpoint with one number that is not finite', () => {
  it.each([
    ['vision_model.encoder.layers.0.mlp.fc1.weight', Number.NaN, 'picture'],
    ['vision_model.post_layernorm.weight', Infinity, 'picture'],
    ['qformer.encoder.layer.0.attention.attention.key.bias', -Infinity, 'picture'],
    ['language_model.model.decoder.layers.0.fc2.weight', Number.NaN, 'language'],
    ['language_model.model.decoder.layers.1.self_attn.v_proj.bias', Infinity, 'language'],
  ])('are refused: %s %d', async (tensor, value, stage) => {
    const folder = await demoWith(tensor, value);
    await using captioner = await createCaptioner(await openCheckpoint(folder), { inProcess: true, threads: 1 });
    for (const [, way] of WAYS) {
      const outcomes = [];
      for await (const outcome of captioner.captionAll(pictures, way)) outcomes.push(outcome);
      const error = { code: 'LOGITS_NOT_FINITE', details: { newTokens: 0, stage } };
      expect(outcomes).toMatchObject([0, 1].map((index) => ({ status: 'failed', index, error })));
      const captions = captioner.caption(pictures, { ...way, batchSize: 2 });
      await expect(captions.next()).rejects.toMatchObject(error);
    }
  });
});

describe.each(QUANT_SCHEMES)('captions of a checkpoint in %s with one number that is not finite', (scheme) => {
  it.each([
    // Of each, the next product rounds its rows to integers.
    'language_model.model.decoder.layers.0.fc1.bias',
    'language_model.model.decoder.layers.1.self_attn.v_proj.bias',
    'language_model.model.decoder.layers.1.self_attn.q_proj.bias',
    'language_model.model.decoder.layers.2.self_attn_layer_norm.bias',
    'language_model.model.decoder.layers.3.final_layer_norm.weight',
    'language_model.model.decoder.final_layer_norm.weight',
    'language_projection.bias',
  ])('are refused: %s', async (tensor) => {
    for (const value of [Number.NaN, Infinity]) {
      const folder = await demoWith(tensor, value);
      const checkpoint = await openCheckpoint(folder);
      const quant = languageQuant(checkpoint, scheme);
      const engine = await CaptionEngine.create(checkpoint, { quant, cacheFolder: folder, threads: 1 });
      await using captioner = new Captioner(parseBlip2Config(checkpoint.config), engine);
      const codes = [];
      for await (const outcome of captioner.captionAll([...pictures, ...pictures])) {
        codes.push(outcome.status === 'failed' ? outcome.error : outcome.caption);
      }
      expect(codes).toMatchObject(Array.from({ length: 4 }, () => ({ code: 'LOGITS_NOT_FINITE' })));
    }
  });
});

describe.each(['tiny-opt', 'tiny-flan-t5', 'tiny-instructblip-llama'])('%s', (family) => {
  const engines: readonly (readonly [string, () => Promise<CaptionModel>])[] = [
    ['sessions', async () => blip2Sessions(await goldenSources(family))],
    [
      'devices',
      async () => {
        const { config, tensors } = await openCheckpoint(join(GOLDENS, family));
        return openOnHost(parseBlip2Config(config), tensors, () => true);
      },
    ],
  ];

  it.each(engines)('goes on with the pictures beside one that is not finite, on %s', async (_, openModel) => {
    const json: unknown = JSON.parse(await readFile(join(GOLDENS, family, 'config.json'), 'utf8'));
    const { numQueryTokens, text } = parseBlip2Config(json);
    await using model = await openModel();
    const size = numQueryTokens * text.hiddenSize;
    const rows = Float32Array.from({ length: 3 * size }, (__, i) => Math.sin(i) / 2);
    const sequences = async (given: Float32Array, options: GenerationOptions, failed: unknown[]) => {
      const prefix = new Tensor('float32', given, [3, numQueryTokens, text.hiddenSize]);
      const textIds = [
        [2, 5],
        [2, 4],
        [2, 3],
      ];
      const prompt = { prefix, textIds, textMask: textIds.map(() => [1, 1]) };
      return generate(
        model.tokens(prompt),
        { contextIds: textIds, eosTokenIds: text.eosTokenIds },
        { maxNewTokens: 6, ...options },
        { onNotFinite: (...failure) => failed.push(failure) },
      );
    };
    for (const [, way] of WAYS) {
      const none: unknown[] = [];
      const expected = await sequences(rows, way, none);
      expect(none).toEqual([]);
      for (const value of [Number.NaN, Infinity]) {
        const faulty = rows.slice();
        faulty[size + 3] = value;
        const failed: unknown[] = [];
        const found = await sequences(faulty, way, failed);
        expect(failed).toEqual([[1, { newTokens: 0 }]]);
        expect([found[0], found[2]]).toEqual([expected[0], expected[2]]);
      }
    }
  });
});
