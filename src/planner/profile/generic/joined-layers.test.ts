import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import type { Device } from '../../map/device-map.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { explainMap } from '../../plan/comparison/explain-map.js';
import { planDeviceMap } from '../../plan/plan-device-map.js';
import type { PlanOptions } from '../../plan/request/plan-options.js';
import { joinedLayers } from './joined-layers.js';

const models = await loadModelTable();
const square: TensorInfo = { dtype: 'F16', shape: [64, 64] };
const layers = (list: string) => [0, 1, 2, 3].map((i) => `${list}.${i}`);

const VISION = 'model.vision_tower.encoder.layers';
const TEXT = 'model.language_model.layers';
const modules = [
  'model.vision_tower.embeddings.patch_embedding',
  ...layers(VISION).map((layer) => `${layer}.mlp.fc1`),
  'model.multi_modal_projector.linear_1',
  'model.language_model.embed_tokens',
  ...layers(TEXT).map((layer) => `${layer}.mlp.up_proj`),
  'model.language_model.norm',
  'lm_head',
];
const tensors = new Map(modules.map((name): [string, TensorInfo] => [`${name}.weight`, square]));

function optionsFor(vision_feature_layer: unknown): PlanOptions {
  const config = {
    architectures: ['LlavaForConditionalGeneration'],
    model_type: 'llava',
    vision_feature_layer,
    vision_config: { model_type: 'clip_vision_model' },
    text_config: { model_type: 'llama' },
    tie_word_embeddings: false,
  };
  const budgets = { gpus: new Map([0, 1].map((id) => [id, 2 ** 30])), ramBytes: null, diskBytes: 0 };
  return { config, models, engine: 'transformers', budgets };
}

/** `hs_pool = [image_outputs.hidden_states[layer_idx] ...]; torch.cat(hs_pool, dim=-1)`: modeling_llava.py of transformers 5.24. */
describe('layers of a tower that are joined', () => {
  const apart = new Map<string, Device>([
    ...modules.map((name): [string, Device] => [name, 0]),
    [`${VISION}.1.mlp.fc1`, 1],
    [`${TEXT}.1.mlp.up_proj`, 1],
  ]);
  const codes = (layer: unknown) =>
    explainMap(apart, tensors, optionsFor(layer)).issues.map(({ code, ...rest }) => [
      code,
      'names' in rest && rest.names,
    ]);

  it('are a fault of a map that has them on two GPUs', () => {
    expect(codes([-2, -1])).toEqual([['MAP_JOINED_APART', layers(VISION)]]);
    expect(codes(-2)).toEqual([]);
  });

  it('are on the GPU that runs the model where it is planned, and those of the language model on either', () => {
    const pins = new Map<string, Device>([
      ...layers(TEXT).map((name, i): [string, Device] => [name, i % 2]),
      [`${VISION}.1`, 1],
    ]);
    expect(() => planDeviceMap(tensors, { ...optionsFor([-2, -1]), pins })).toThrow(`${VISION}.1 cannot be on GPU 1`);
    expect(planDeviceMap(tensors, { ...optionsFor(-2), pins }).status).toBe('fits');
  });
});

describe('what is joined', () => {
  it.each([
    ['VipLlavaForConditionalGeneration', {}, VISION, true],
    ['VipLlavaForConditionalGeneration', { vision_feature_layers: [-2, -5] }, VISION, true],
    ['VipLlavaForConditionalGeneration', {}, TEXT, false],
    ['MllamaForConditionalGeneration', {}, 'model.vision_model.transformer.layers', true],
    ['MllamaForConditionalGeneration', {}, 'model.vision_model.global_transformer.layers', true],
    ['LlavaForConditionalGeneration', { vision_feature_layer: [-2] }, VISION, false],
    ['Wav2Vec2ForSequenceClassification', { use_weighted_layer_sum: true }, 'wav2vec2.encoder.layers', true],
    ['Wav2Vec2ForSequenceClassification', { use_weighted_layer_sum: false }, 'wav2vec2.encoder.layers', false],
    [
      'Wav2Vec2ForSequenceClassification',
      { use_weighted_layer_sum: true },
      'wav2vec2.feature_extractor.conv_layers',
      false,
    ],
  ])('%s with %j: %s, %s', (cls, config, list, isJoined) => {
    expect(joinedLayers(cls, config)(`${list}.1`)).toBe(isJoined);
  });
});
