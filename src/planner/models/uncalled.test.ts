import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { preparePlan } from '../plan/request/prepare-plan.js';
import { loadModelTable } from './load-model-table.js';

const models = await loadModelTable();

/** Names of blocks that must be on a GPU where one is used. */
function staying(architecture: string, model_type: string, names: readonly string[]): string[] {
  const tensors = new Map(names.map((name): [string, TensorInfo] => [name, { dtype: 'F16', shape: [64, 64] }]));
  const config = { architectures: [architecture], model_type };
  const budgets = { gpus: new Map([[0, 0]]), ramBytes: null, diskBytes: 0 };
  const { profile } = preparePlan(tensors, { config, models, engine: 'transformers', budgets });
  expect(profile.model).toMatchObject({ class: architecture });
  return profile.blocks.filter(({ stores }) => stores.length === 0).map(({ name }) => name);
}

/** Tiny models of these classes failed in transformers 5.24, or answered otherwise, with the module on the disk, and did not with it in memory. */
describe('modules whose parameters another module reads without calling them stay on the GPU', () => {
  it('the table of relative positions of DeBERTa', () => {
    const layer = 'deberta.encoder.layer.0';
    const names = [
      'deberta.embeddings.word_embeddings.weight',
      'deberta.encoder.rel_embeddings.weight',
      ...['query_proj', 'key_proj', 'value_proj'].map((name) => `${layer}.attention.self.${name}.weight`),
      'classifier.weight',
    ];
    expect(staying('DebertaV2ForSequenceClassification', 'deberta-v2', names)).toEqual([
      'deberta.encoder.rel_embeddings',
    ]);
  });

  it('the position table of SigLIP 2, with the embeddings that are not to be split', () => {
    const names = [
      'vision_model.embeddings.patch_embedding.weight',
      'vision_model.embeddings.position_embedding.weight',
      ...['q_proj', 'k_proj', 'v_proj'].map((name) => `vision_model.encoder.layers.0.self_attn.${name}.weight`),
    ];
    const [only, ...others] = staying('Siglip2VisionModel', 'siglip2_vision_model', names);
    expect(only).toMatch(/^vision_model\.embeddings|^embeddings/);
    expect(others).toEqual([]);
  });

  it('the layers of LongCat-Flash, whose router is in them, and not the tables', () => {
    const names = [
      'model.embed_tokens.weight',
      ...['mlp.router.classifier.weight', 'mlps.0.gate_proj.weight', 'self_attn.0.q_a_proj.weight'].map(
        (name) => `model.layers.0.${name}`,
      ),
      'model.norm.weight',
      'lm_head.weight',
    ];
    expect(staying('LongcatFlashForCausalLM', 'longcat_flash', names)).toEqual(['model.layers.0']);
  });

  // Under a setting of the configuration, by another method than forward, in one layer of several, and in evaluation alone.
  it.each([
    ['GroundingDinoModel', 'grounding-dino', 'query_position_embeddings', 'text_projection'],
    ['ProphetNetDecoder', 'prophetnet', 'position_embeddings', 'embeddings_layer_norm'],
    ['EomtForUniversalSegmentation', 'eomt', 'query', 'class_predictor'],
    ['RfDetrModel', 'rf_detr', 'query_feat', 'enc_output.0'],
  ])('%s: %s.%s', (architecture, type, read, called) => {
    expect(staying(architecture, type, [`${read}.weight`, `${called}.weight`])).toEqual([read]);
  });

  // Handed to a method that reads them: other answers with the first of them in host memory, and an error with the others.
  it('what LayoutLMv3 looks positions up in', () => {
    const biases = ['rel_pos_bias', 'rel_pos_x_bias', 'rel_pos_y_bias'].map((name) => `encoder.${name}`);
    const names = [...biases, 'encoder.layer.0.output.dense'].map((name) => `${name}.weight`);
    expect(staying('LayoutLMv3Model', 'layoutlmv3', names)).toEqual(biases);
  });

  // NotImplementedError: Cannot copy out of meta tensor. The model for pictures looks tokens up itself.
  it('the table of a Llama 4 for text alone, which says where tokens go', () => {
    const names = ['embed_tokens', 'layers.0.self_attn.q_proj', 'norm'].map((name) => `${name}.weight`);
    const text = names.map((name) => `model.${name}`);
    expect(staying('Llama4ForCausalLM', 'llama4_text', [...text, 'lm_head.weight'])).toEqual(['model.embed_tokens']);
    const pictures = [...names.map((name) => `language_model.model.${name}`), 'multi_modal_projector.linear_1.weight'];
    expect(staying('Llama4ForConditionalGeneration', 'llama4', pictures)).toEqual([]);
  });

  it('nothing of Llama and T5', () => {
    const llama = ['model.embed_tokens', 'model.layers.0.self_attn.q_proj', 'model.norm', 'lm_head'];
    const t5 = [
      'shared',
      'encoder.block.0.layer.0.SelfAttention.q',
      'encoder.block.0.layer.0.SelfAttention.relative_attention_bias',
    ];
    expect(
      staying(
        'LlamaForCausalLM',
        'llama',
        llama.map((name) => `${name}.weight`),
      ),
    ).toEqual([]);
    expect(
      staying(
        'T5EncoderModel',
        't5',
        t5.map((name) => `${name}.weight`),
      ),
    ).toEqual([]);
  });
});
