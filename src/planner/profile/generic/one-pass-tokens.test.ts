import { expect, it } from 'vitest';
import { loadModelTable } from '../../models/load-model-table.js';
import { DEFAULT_WORKLOAD } from '../workload/workload.js';
import { tokensOfOnePass } from './one-pass-tokens.js';
import { patchesPerToken } from './picture-patches.js';

const models = await loadModelTable();

it.each([
  [{ input_size: 224, patch_size: 16 }, 14 ** 2 + 1],
  // As many as transformers 5.24 has hidden states of beside the text's: a convolution leaves out what is less than its step.
  [{ input_size: 224, patch_size: 15 }, 14 ** 2 + 1],
  [{ input_size: 224 }, 0],
  [{ input_size: 224, patch_size: 0 }, 0],
])('knows the patches of a page of %o', (sizes, patches) => {
  const layout = models.classOf('LayoutLMv3Model');
  const tokens = tokensOfOnePass('encoder.layer.0', layout, { visual_embed: true, ...sizes }, DEFAULT_WORKLOAD);
  expect(tokens).toBe(DEFAULT_WORKLOAD.promptTokens + patches);
});

it('takes a patch for a token where nothing says how large one is', () => {
  const part = (sizes: object) => patchesPerToken({ mm_tokens_per_image: 256, vision_config: sizes }, 'vision_tower.0');
  expect(part({ image_size: 896, patch_size: 14 })).toBe(16);
  expect(part({ image_size: 896 })).toBe(1);
});
