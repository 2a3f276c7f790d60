/**
 * What a reader of BLIP-2 gets wrong first, one test per trap: here in configuration, tensors and arithmetic. Where a wrong
 * reading still runs, it is run, too, to show that the recordings of transformers tell the two apart.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { parseBlip2Config, parseModelConfig, type Blip2Config } from '../../src/model/blip2-config.js';
import { blip2Tensors } from '../../src/model/blip2-tensors.js';
import { PRESETS } from '../../src/model/presets.js';
import { loadedDtype } from '../../src/planner/profile/loaded-dtype.js';
import { imageProgram, promptProgram, tokenProgram } from '../../src/runtime/graph/blip2-programs.js';
import { interpolatePositions } from '../../src/runtime/graph/interpolate-positions.js';
import { buildStages, type Program } from '../../src/runtime/graph/program.js';
import { Weights } from '../../src/runtime/graph/weights.js';
import { ModelProtoSchema } from '../../src/runtime/onnx/onnx_pb.js';
import { blip2Sessions } from '../../src/runtime/session/cpu/blip2-sessions.js';
import { startProgram, type SessionSources } from '../../src/runtime/session/cpu/start-program.js';
import { floats, goldenSources, GOLDENS, maxDifference, promptOf, readRecording, tensorOf } from '../golden/golden.js';

const CLOSE = 1e-4;
type Sources = SessionSources<number>;

/** Largest difference to the recorded logits of the first new token. */
async function logitsError(
  name: string,
  change: (sources: Sources) => Sources = (sources) => sources,
): Promise<number> {
  const sources = change(await goldenSources(name));
  const recording = await readRecording(name, 'padded_batch');
  const { text, numQueryTokens } = sources.config;
  const prefix = tensorOf(recording.tensors, 'language_input');
  await using sessions = await blip2Sessions(sources);
  const logits = await sessions.tokens({ prefix, ...promptOf(recording, numQueryTokens) }).prefill();
  const recorded = tensorOf(recording.tensors, 'logits');
  const [rows = 0, length = 0, width = 0] = recorded.dims;
  const position = text.family === 't5' ? 0 : length - 1;
  const errors = Array.from({ length: rows }, (_, row) => {
    const from = (row * length + position) * width;
    return maxDifference(logits.slice(row * width, (row + 1) * width), floats(recorded).subarray(from, from + width));
  });
  return Math.max(...errors);
}

/** Largest difference to the recorded rows for the language model. */
async function pictureError(name: string, change: (config: Blip2Config) => Blip2Config): Promise<number> {
  const sources = await goldenSources(name);
  const { tensors } = await readRecording(name, 'batch');
  await using sessions = await blip2Sessions({ ...sources, config: change(sources.config) });
  const pixels = tensorOf(tensors, 'pixel_values');
  const ours = await sessions.encodeImages(floats(pixels), pixels.dims);
  return maxDifference(floats(ours), floats(tensorOf(tensors, 'language_input')));
}

const withText = (sources: Sources, fields: object): Sources => ({
  ...sources,
  config: { ...sources.config, text: { ...sources.config.text, ...fields } },
});

const preset = (name: string): Blip2Config => parseBlip2Config(PRESETS.get(name)?.config);
const textOf = (fields: object) => parseBlip2Config({ model_type: 'blip-2', text_config: fields }).text;

describe('traps of the model', () => {
  it('1: Flan-T5 in BLIP-2 uses the exact GELU, whatever feed_forward_proj implies', async () => {
    expect(preset('Salesforce/blip2-flan-t5-xl').text).toMatchObject({ activation: 'gelu', gated: true });
    expect(await logitsError('tiny-flan-t5')).toBeLessThan(CLOSE);
    const wrong = await logitsError('tiny-flan-t5', (sources) => withText(sources, { activation: 'gelu_new' }));
    expect(wrong).toBeGreaterThan(CLOSE);
  });

  it('2: -coco checkpoints are 364 x 364: 677 vision tokens', () => {
    const coco = [...PRESETS].filter(([name]) => name.endsWith('-coco'));
    expect(coco).toHaveLength(3);
    for (const [name] of coco) {
      const tensors = blip2Tensors(preset(name), { dtype: 'F32', ownHead: true });
      expect(tensors.get('vision_model.embeddings.position_embedding')?.shape).toEqual([1, 677, 1408]);
    }
  });

  it('9: a config without image_token_index is a legacy file, not an error', async () => {
    const legacy = parseBlip2Config({ model_type: 'blip-2', text_config: { vocab_size: 50272 } });
    expect(legacy).toMatchObject({ imageTokenId: null, numQueryTokens: 32, text: { vocabSize: 50272 } });
    const error = await logitsError('tiny-opt', (sources) => ({
      ...sources,
      config: { ...sources.config, imageTokenId: null },
    }));
    expect(error).toBeLessThan(CLOSE);
  });

  it("11: Flan-T5's head is a tensor of its own although its config says tied", async () => {
    const { tensors } = await goldenSources('tiny-flan-t5');
    expect(tensors.has('language_model.lm_head.weight')).toBe(true);
    const tied = await logitsError('tiny-flan-t5', (sources) => ({
      ...sources,
      tensors: new Map([...sources.tensors].filter(([name]) => name !== 'language_model.lm_head.weight')),
    }));
    expect(tied).toBeGreaterThan(CLOSE);
  });

  it('12: logits of T5 are scaled unless the file unties them or says otherwise', async () => {
    expect(preset('Salesforce/blip2-flan-t5-xl').text).toMatchObject({ scaleLogits: false });
    expect(textOf({ model_type: 't5', tie_word_embeddings: true, scale_decoder_outputs: false })).toMatchObject({
      scaleLogits: false,
    });
    for (const [name, scaleLogits] of [
      ['tiny-flan-t5', false],
      ['tiny-t5-relu-tied', true],
    ] as const) {
      expect(await logitsError(name, (sources) => withText(sources, { scaleLogits }))).toBeLessThan(CLOSE);
      expect(await logitsError(name, (sources) => withText(sources, { scaleLogits: !scaleLogits }))).toBeGreaterThan(
        CLOSE,
      );
    }
  });

  it("13: the vision norms' epsilon is 1e-6 unless the file says 1e-5", async () => {
    const vision = (fields: object) => parseBlip2Config({ model_type: 'blip-2', vision_config: fields }).vision;
    expect(vision({}).layerNormEps).toBe(1e-6);
    expect(vision({ layer_norm_eps: 1e-5 }).layerNormEps).toBe(1e-5);
    const withEps = (layerNormEps: number) => (config: Blip2Config) => ({
      ...config,
      vision: { ...config.vision, layerNormEps },
    });
    expect(await pictureError('tiny-opt', withEps(1e-6))).toBeLessThan(CLOSE);
    expect(await pictureError('tiny-opt', withEps(1e-2))).toBeGreaterThan(CLOSE);
  });

  it('14: every part has an epsilon of its own: vision 1e-6, Q-Former 1e-12, OPT 1e-5, T5 1e-6', async () => {
    expect(textOf({ model_type: 'opt', layer_norm_eps: 1e-12, layer_norm_epsilon: 1e-12 })).toEqual(
      textOf({ model_type: 'opt' }),
    );
    const opt = await epsilons('tiny-opt', [imageProgram, tokenProgram]);
    expect(opt).toEqual(
      new Map([
        ['vision_model', new Set([1e-6])],
        ['qformer', new Set([1e-12])],
        ['language_model', new Set([1e-5])],
      ]),
    );
    const t5 = await epsilons('tiny-flan-t5', [promptProgram, tokenProgram]);
    expect(t5).toEqual(new Map([['language_model', new Set([1e-6])]]));
  });

  it('15: the feed-forward of the queries is intermediate_query; a plain one is for words only', () => {
    const feedForwards = (json: object): Set<string> => {
      const names = [...blip2Tensors(parseModelConfig(json), { dtype: 'F32', ownHead: false }).keys()];
      return new Set(names.flatMap((name) => /^qformer\.encoder\.layer\.0\.(intermediate\w*)\./.exec(name)?.[1] ?? []));
    };
    const both = new Set(['intermediate_query', 'intermediate']);
    expect(feedForwards({ model_type: 'blip-2' })).toEqual(new Set(['intermediate_query']));
    expect(feedForwards({ model_type: 'blip-2', qformer_config: { use_qformer_text_input: true } })).toEqual(both);
    expect(feedForwards({ model_type: 'instructblip' })).toEqual(both);
  });

  it('16: the Q-Former reads all vision tokens, the class token too, after the last norm', async () => {
    const sources = await goldenSources('tiny-opt');
    const { tensors } = await readRecording('tiny-opt', 'batch');
    const { steps, outputs } = imageProgram(sources.config);
    const behind = { steps: steps.filter(({ block }) => !block.kind.startsWith('vision')), outputs };
    await using runner = await startProgram(behind, sources);
    const seen = tensorOf(tensors, 'image_embeds');
    const [pictures = 0, tokens = 0, width = 0] = seen.dims;
    expect(tokens).toBe((28 / 7) ** 2 + 1);
    const error = async (rows: Float32Array) => {
      const vision = new Tensor('float32', rows, [pictures * tokens, width]);
      const wires = await runner.run(new Map([['vision', vision]]));
      return maxDifference(floats(tensorOf(wires, 'language_input')), floats(tensorOf(tensors, 'language_input')));
    };
    expect(await error(floats(seen))).toBeLessThan(CLOSE);
    const withoutClass = floats(seen).map((value, i) => (Math.floor(i / width) % tokens === 0 ? 0 : value));
    expect(await error(withoutClass)).toBeGreaterThan(CLOSE);
  });

  it('17: T5 in float16 keeps wo in float32, and so the residual', () => {
    const wo = 'language_model.encoder.block.0.layer.1.DenseReluDense.wo.weight';
    const wi = 'language_model.encoder.block.0.layer.1.DenseReluDense.wi_0.weight';
    const half = { dtype: 'float16', blip2: 'blip-2' } as const;
    expect([wo, wi].map((name) => loadedDtype(name, 'F32', half))).toEqual(['F32', 'F16']);
    expect(loadedDtype(wo, 'F32', { ...half, dtype: 'bfloat16' })).toBe('BF16');
    expect(loadedDtype('qformer.layernorm.weight', 'F32', half)).toBe('F32');
    expect(loadedDtype('qformer.layernorm.weight', 'F32', { ...half, blip2: 'instructblip' })).toBe('F16');
  });

  it('19: position embeddings are interpolated with a = -0.75 and without antialiasing', () => {
    const side = 4;
    const impulse = Float32Array.from({ length: 1 + side * side }, (_, at) => (at === 1 + side + 1 ? 1 : 0));
    // Twice the size: the new point (2, 2) lies a quarter of a step from the impulse at (1, 1).
    const larger = interpolatePositions(impulse, { side, width: 1 }, { rows: 8, columns: 8 });
    const kernel = (a: number) => ((a + 2) * 0.25 - (a + 3)) * 0.25 ** 2 + 1;
    expect(larger[1 + 2 * 8 + 2]).toBeCloseTo(kernel(-0.75) ** 2, 6);
    expect(larger[1 + 2 * 8 + 2]).not.toBeCloseTo(kernel(-0.5) ** 2, 3);
    // Half the size: the new point (0, 0) lies half a step from four old ones, and its kernel does not widen.
    const smaller = interpolatePositions(impulse, { side, width: 1 }, { rows: 2, columns: 2 });
    expect(smaller[1]).toBeCloseTo(0.59375 ** 2, 6);
  });
});

/** The epsilons of the norms in the graphs of some programs, by the first part of their nodes' names. */
async function epsilons(
  name: string,
  programs: readonly ((config: Blip2Config) => Program)[],
): Promise<Map<string, Set<number>>> {
  const { config, tensors } = await goldenSources(name);
  const picture = { rows: 4, columns: 4, positions: null };
  const sources = { config, weights: new Weights(config, tensors), folder: GOLDENS, picture };
  const found = new Map<string, Set<number>>();
  for (const program of programs) {
    for (const { model } of buildStages(program(config), () => 0, sources)) {
      for (const node of fromBinary(ModelProtoSchema, model).graph?.node ?? []) {
        const epsilon = node.attribute.find((attribute) => attribute.name === 'epsilon')?.f;
        const part = node.name.split('.')[0];
        if (typeof epsilon !== 'number' || part === undefined) continue;
        found.set(part, (found.get(part) ?? new Set()).add(Number(epsilon.toPrecision(6))));
      }
    }
  }
  return found;
}
