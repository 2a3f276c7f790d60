import { expect, it } from 'vitest';
import { parseModelConfig } from './blip2-config.js';
import { blip2Tensors } from './blip2-tensors.js';
import { checkLayerCounts } from './layer-counts.js';

const FAMILIES = {
  opt: { num_hidden_layers: 3 },
  llama: { num_hidden_layers: 3 },
  t5: { num_layers: 3, num_decoder_layers: 4 },
} as const;

const read = (text: object, others: object = {}) =>
  parseModelConfig({ model_type: 'blip-2', text_config: text, ...others });
const tensorsOf = (config: ReturnType<typeof read>) => blip2Tensors(config, { dtype: 'F32', ownHead: true });

it.each(Object.entries(FAMILIES))('%s: as many layers as config.json says, and no more', (model_type, counts) => {
  const tensors = tensorsOf(read({ model_type, ...counts }));
  expect(() => checkLayerCounts(tensors, read({ model_type, ...counts }))).not.toThrow();
  for (const [field, count] of Object.entries(counts)) {
    const fewer = read({ model_type, ...counts, [field]: count - 1 });
    const details = { field: `text_config.${field}`, stated: count - 1, there: count };
    expect(() => checkLayerCounts(tensors, fewer)).toThrow(
      expect.objectContaining({ code: 'CONFIG_MISMATCH', details }),
    );
  }
});

it('the encoders, and the layers that attend to the picture', () => {
  const text = { model_type: 'opt', ...FAMILIES.opt };
  const tensors = tensorsOf(read(text));
  const mismatch = expect.objectContaining({ code: 'CONFIG_MISMATCH' }) as Error;
  expect(() => checkLayerCounts(tensors, read(text, { vision_config: { num_hidden_layers: 38 } }))).toThrow(mismatch);
  expect(() => checkLayerCounts(tensors, read(text, { qformer_config: { num_hidden_layers: 11 } }))).toThrow(mismatch);
  const rarer = read(text, { qformer_config: { cross_attention_frequency: 3 } });
  expect(() => checkLayerCounts(tensors, rarer)).toThrow(/config.json says 4 layers .* the weights have 6/);
});
