import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Blip2Error } from '../../../errors.js';
import { PrecompiledCharsmap } from './precompiled-charsmap.js';
import { createTokenizer } from './tokenizer.js';

// Recorded from tokenizers (Rust) by test/fixtures/text/record_charsmap.py.
const recorded = JSON.parse(
  readFileSync(new URL('../../../../test/fixtures/text/charsmap.json', import.meta.url), 'utf8'),
) as {
  readonly charsmap: string;
  readonly normalized: { readonly text: string; readonly normalized: string }[];
};
const precompiled = { type: 'Precompiled', precompiled_charsmap: recorded.charsmap };

describe('a charsmap', () => {
  it.each(recorded.normalized)('makes of $text what tokenizers does', ({ text, normalized }) => {
    const charsmap = new PrecompiledCharsmap(Buffer.from(recorded.charsmap, 'base64'));
    expect(charsmap.normalize(text)).toBe(normalized);
  });

  it.each([
    ['alone', precompiled],
    ['in a sequence', { type: 'Sequence', normalizers: [precompiled, { type: 'Lowercase' }] }],
  ])('is the tokenizer’s, %s', (_, normalizer) => {
    const tokenizer = createTokenizer(unigram(['<unk>', 'a b', 'a  b', '~'], normalizer), {});
    expect(tokenizer.encode('a\r\nb')).toEqual([1]);
    expect(tokenizer.encode('a\n\nb')).toEqual([2]);
  });

  it.each(['', 'AAAA', Buffer.alloc(8, 255).toString('base64')])('is refused where it is no trie: %j', (encoded) => {
    const document = unigram(['<unk>', 'a'], { ...precompiled, precompiled_charsmap: encoded });
    expect(() => createTokenizer(document, {})).toThrow(Blip2Error);
  });

  it('ends for any bytes behind its length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 64 }), fc.string({ unit: 'binary' }), (bytes, text) => {
        const charsmap = new Uint8Array([bytes.length & ~3, 0, 0, 0, ...bytes]);
        expect(typeof new PrecompiledCharsmap(charsmap).normalize(text)).toBe('string');
      }),
    );
  });
});

function unigram(vocab: readonly string[], normalizer: object | null): unknown {
  return {
    model: { type: 'Unigram', unk_id: 0, vocab: vocab.map((token, rank) => [token, -rank]) },
    normalizer,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
  };
}
