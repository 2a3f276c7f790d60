import { expect, it } from 'vitest';
import { namedSource } from './named-source.js';

const plain = { variant: null, revision: null };

/** What `from_pretrained` of transformers 5.24 loads such checkpoints by; it reads a file that is named as if it were config.json. */
it.each([
  ['models/x', ['model.safetensors'], { model: 'models/x', ...plain }],
  [
    'owner/name',
    ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'],
    { model: 'owner/name', ...plain },
  ],
  ['models/x/model.safetensors', ['model.safetensors'], { model: 'models/x', ...plain }],
  ['model.safetensors.index.json', ['a.safetensors', 'b.safetensors'], { model: '.', ...plain }],
  ['/x/model.safetensors.index.fp16.json', ['a.safetensors'], { model: '/x', ...plain }],
  ['C:\\x\\model.safetensors', ['model.safetensors'], { model: 'C:\\x', ...plain }],
  ['x', ['model.fp16.safetensors'], { model: 'x', variant: 'fp16', revision: null }],
  // As save_pretrained(variant="fp16") names shards, and as it did before.
  [
    'x',
    ['model.fp16-00001-of-00002.safetensors', 'model.fp16-00002-of-00002.safetensors'],
    { model: 'x', variant: 'fp16', revision: null },
  ],
  ['x', ['model-00001-of-00001.fp16.safetensors'], { model: 'x', variant: 'fp16', revision: null }],
  ['x', ['model.fp16.safetensors', 'model.ema.safetensors'], { model: 'x', ...plain }],
  [
    'https://hub.example/owner/name/resolve/refs%2Fpr%2F1/model.safetensors.index.json',
    ['model-00001-of-00001.safetensors'],
    { model: 'owner/name', variant: null, revision: 'refs/pr/1' },
  ],
])('%s with %j', (id, files, source) => {
  expect(namedSource({ id, files })).toEqual(source);
});

it('keeps the revision that was asked for', () => {
  const revision = 'v2';
  expect(namedSource({ id: 'owner/name', files: [], revision })).toEqual({
    model: 'owner/name',
    variant: null,
    revision,
  });
});
