import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { GOLDENS } from '../../test/golden/golden.js';
import { parseModelConfig } from './blip2-config.js';
import { blip2Blocks } from './blocks.js';
import { modulesBesideBlocks } from './modules-beside-blocks.js';

// `named_modules` of transformers 5.24 that hold no parameters of their own and are neither in a block nor above one.
it.each([
  ['tiny-opt', ['qformer.dropout']],
  [
    'tiny-flan-t5',
    [
      'language_model.decoder.dropout',
      'language_model.decoder.embed_tokens',
      'language_model.encoder.dropout',
      'language_model.encoder.embed_tokens',
      'qformer.dropout',
    ],
  ],
  ['tiny-instructblip-llama', ['language_model.model.rotary_emb']],
  ['tiny-retrieval', ['qformer.dropout']],
])('of %s are those of transformers, each in no block', (name, expected) => {
  const config = parseModelConfig(JSON.parse(readFileSync(join(GOLDENS, name, 'config.json'), 'utf8')));
  const modules = modulesBesideBlocks(config);
  expect(modules.toSorted()).toEqual(expected);
  for (const { name: block } of blip2Blocks(config))
    expect(modules.filter((module) => `${module}.`.startsWith(`${block}.`))).toEqual([]);
});
