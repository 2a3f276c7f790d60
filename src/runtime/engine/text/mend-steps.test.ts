import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createTokenizer } from './tokenizer.js';

// Recorded from tokenizers (Rust) by test/fixtures/text/record_rules.py.
const recorded = JSON.parse(
  readFileSync(new URL('../../../../test/fixtures/text/rules.json', import.meta.url), 'utf8'),
) as {
  readonly kinds: readonly {
    readonly kind: string;
    readonly tokenizer: unknown;
    readonly encoded: readonly { readonly text: string; readonly ids: number[] }[];
    readonly decoded: readonly { readonly text: string; readonly ids: number[] }[];
  }[];
};

describe.each(recorded.kinds)('$kind', ({ tokenizer: document, encoded }) => {
  const tokenizer = createTokenizer(document, {});

  it.each(encoded)('encodes $text as tokenizers does', ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
  });
});

describe.each(recorded.kinds.filter(({ decoded }) => decoded.length > 0))(
  '$kind',
  ({ tokenizer: document, decoded }) => {
    const tokenizer = createTokenizer(document, {});

    it.each(decoded)('decodes $ids as tokenizers does, whole characters or not', ({ ids, text }) => {
      expect(tokenizer.decode(ids)).toBe(text);
    });
  },
);
