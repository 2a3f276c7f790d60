/** The dtype that the page plans files in is the one that `from_pretrained` takes (`_get_dtype`, transformers 5.24). */
import { expect, it } from 'vitest';
import { loadModelTable } from '../../src/planner/models/load-model-table.js';
import { planDeviceMap } from '../../src/planner/plan/plan-device-map.js';
import type { OpenModel } from '../../web/src/model/open-model.js';
import { planQuestion } from '../../web/src/settings/plan-options.js';
import { DEFAULT_SETTINGS } from '../../web/src/settings/settings.js';

const table = await loadModelTable();
const shape = [16, 16];
const [one, two] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
const tensors: OpenModel['tensors'] = new Map([
  ['model.embed_tokens.weight', { dtype: 'BF16', shape, file: one }],
  ['model.layers.0.self_attn.q_proj.weight', { dtype: 'BF16', shape, file: one }],
  // By name before all others, but in the second file.
  ['lm_head.weight', { dtype: 'F32', shape, file: two }],
  ['model.norm.weight', { dtype: 'F32', shape, file: two }],
]);

function plannedDtype(indexDtype: string | undefined, described: object = {}): string {
  const model = {
    identity: { id: 'model.safetensors.index.json', files: [one, two], fingerprint: null },
    config: { architectures: ['LlamaForCausalLM'], model_type: 'llama', num_hidden_layers: 1, ...described },
    tensors,
    ...(indexDtype === undefined ? {} : { indexDtype }),
    warnings: [],
  };
  const { options } = planQuestion({ ...DEFAULT_SETTINGS, engine: null }, model, { table });
  const result = planDeviceMap(model.tensors, options);
  if (result.status !== 'fits') throw new Error('does not fit');
  return result.plan.dtype;
}

it('is that of config.json, else of the index, else of the first file', () => {
  expect(plannedDtype('float16', { dtype: 'float32' })).toBe('float32');
  expect(plannedDtype('float16')).toBe('float16');
  expect(plannedDtype(undefined)).toBe('bfloat16');
});
