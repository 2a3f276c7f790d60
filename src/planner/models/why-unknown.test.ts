import { expect, it } from 'vitest';
import { loadModelTable } from './load-model-table.js';
import { whyUnknown } from './why-unknown.js';

const table = await loadModelTable();

it.each([
  [
    { architectures: ['LlamaForCausalLM'] },
    /^The tensors have other names than those of LlamaForCausalLM in transformers \d/,
  ],
  [{ architectures: ['Elsewhere'] }, /^This model is not in the table of transformers \d[\d.]+'s models$/],
  [
    { architectures: ['SpeechEncoderDecoderModel'], decoder: { model_type: 'speech_to_text_2' } },
    /^SpeechEncoderDecoderModel has a part, speech_to_text_2, that is not in the table of transformers \d/,
  ],
  [null, /^This model is not in the table of/],
])('says of %j what is wrong', (config, said) => {
  expect(whyUnknown(table, config, 'This model')).toMatch(said);
});
