import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { preparePlan } from '../../plan/request/prepare-plan.js';

const models = await loadModelTable();

const [WIDTH, PROMPT, NEW] = [8, 100, 10];
const attention = (module: string): [string, TensorInfo][] =>
  (module.endsWith('attention') ? ['key', 'value'] : ['k_proj', 'v_proj']).map((each) => [
    `${module}.${each}.weight`,
    { dtype: 'F16', shape: [WIDTH, WIDTH] },
  ]);

function blocksOf(cls: string, type: string, tensors: readonly [string, TensorInfo][]) {
  const { profile } = preparePlan(new Map(tensors), {
    config: { architectures: [cls], model_type: type },
    models,
    engine: 'transformers',
    budgets: { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 },
    workload: { promptTokens: PROMPT, newTokens: NEW },
  });
  return profile.blocks.map(({ name, phase, cacheElements, runs }) => ({
    name,
    phase,
    cacheElements,
    runs: runs.reduce((sum, run) => sum + run.runs, 0),
  }));
}

describe('what a model is given', () => {
  // Language models that hear: sound becomes tokens of their prompt.
  it.each([
    ['VoxtralForConditionalGeneration', 'voxtral'],
    ['AudioFlamingo3ForConditionalGeneration', 'audioflamingo3'],
    ['Qwen3ASRForConditionalGeneration', 'qwen3_asr'],
    ['GraniteSpeechForConditionalGeneration', 'granite_speech'],
  ])('%s: is a prompt, whose keys and values are kept', (cls, type) => {
    const name = 'model.language_model.layers.0';
    expect(blocksOf(cls, type, attention(`${name}.self_attn`))).toEqual([
      { name, phase: 'token', cacheElements: 2 * WIDTH * (PROMPT + NEW), runs: NEW },
    ]);
  });

  // Readers of pictures whose decoder begins with one token, and attends to what an encoder makes of all else: by modules of its own or not.
  it.each([
    [
      'Florence2ForConditionalGeneration',
      'florence2',
      ['model.language_model.encoder.layers.0', 'self_attn'],
      ['model.language_model.decoder.layers.0', 'self_attn', 'encoder_attn'],
    ],
    [
      'Pix2StructForConditionalGeneration',
      'pix2struct',
      ['encoder.encoder.layer.0', 'attention'],
      ['decoder.layer.0', 'self_attention.attention', 'encoder_decoder_attention.attention'],
    ],
    [
      'T5Gemma2ForConditionalGeneration',
      't5gemma2',
      ['model.encoder.text_model.layers.0', 'self_attn'],
      ['model.decoder.layers.0', 'self_attn'],
    ],
  ])('%s: goes through an encoder once', (cls, type, encoder, decoder) => {
    const tensors = [encoder, decoder].flatMap(([layer = '', ...modules]) =>
      modules.flatMap((module) => attention(`${layer}.${module}`)),
    );
    const blocks = blocksOf(cls, type, tensors);
    expect(blocks.map(({ name, runs }) => [name, runs])).toEqual([
      [encoder[0], 1],
      [decoder[0], NEW],
    ]);
    expect(blocks[1]?.cacheElements).toBe(2 * WIDTH * (1 + NEW + PROMPT));
  });
});
