import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Blip2Error } from '../../../errors.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { AnswerStream } from './answer-stream.js';
import { answerText, preparePrompts, questionPrompt } from './prompts.js';
import { createTokenizer, type TextTokenizer } from './tokenizer.js';

const ROOT = new URL('../../../../', import.meta.url).pathname;
const json = (path: string): unknown => JSON.parse(readFileSync(ROOT + path, 'utf8'));
const tokenizerIn = (folder: string): TextTokenizer =>
  createTokenizer(json(`${folder}/tokenizer.json`), json(`${folder}/tokenizer_config.json`));

interface Recorded {
  readonly encoded: { text: string; ids: number[] }[];
  readonly decoded: { text: string; ids: number[] }[];
  readonly image: number;
}
const recorded = json('test/fixtures/text/text.json') as { t5: Recorded; demo: Recorded };
const t5Tokenizer = tokenizerIn('test/fixtures/text/t5');
const demoTokenizer = tokenizerIn('models/demo');

describe.each([
  { name: 'Unigram, as T5', tokenizer: t5Tokenizer, ...recorded.t5 },
  { name: 'byte-level BPE, as OPT', tokenizer: demoTokenizer, ...recorded.demo },
])('createTokenizer: $name', ({ tokenizer, encoded, decoded }) => {
  it.each(encoded)('encodes $text as transformers does', ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
  });

  it.each(decoded)('decodes to $text as transformers does', ({ text, ids }) => {
    expect(tokenizer.decode(ids)).toBe(text);
  });
});

describe('createTokenizer', () => {
  it.each([null, [], {}, { model: { type: 'Nope' } }, 'text'])('refuses %j', (document) => {
    expect(() => createTokenizer(document, {})).toThrow(Blip2Error);
  });

  it('puts what is added behind all tokens, of which two may be one text', () => {
    const texts = ['<unk>', 'a', 'b', 'a', 'c'];
    const around = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
    const model = { type: 'Unigram', unk_id: 0, vocab: texts.map((text, rank) => [text, -rank]), byte_fallback: false };
    const tokenizer = createTokenizer({ ...around, model }, { tokenizer_class: 'TokenizersBackend' }, ['<image>']);
    // By tokenizers 0.23.3.
    expect(tokenizer.encode('abc<image>')).toEqual([3, 2, 4, 5]);
  });

  it('decodes nothing to nothing', () => {
    expect(demoTokenizer.decode([])).toBe('');
  });
});

const opt = parseBlip2Config({
  model_type: 'blip-2',
  num_query_tokens: 3,
  image_token_index: recorded.demo.image,
  text_config: { model_type: 'opt', vocab_size: 400, eos_token_id: 202 },
});
const t5 = parseBlip2Config({
  model_type: 'blip-2',
  num_query_tokens: 3,
  image_token_index: recorded.t5.image,
  text_config: { model_type: 't5', vocab_size: 300, bos_token_id: 1, decoder_start_token_id: 0 },
});

describe('preparePrompts', () => {
  it('is BOS alone without a prompt, for OPT 2 and for T5 1', () => {
    expect(preparePrompts([null], demoTokenizer, opt)).toEqual({
      textIds: [[2]],
      textMask: [[1]],
      contextIds: [[393, 393, 393, 2]],
    });
    expect(preparePrompts([null], t5Tokenizer, t5)).toEqual({ textIds: [[1]], textMask: [[1]], contextIds: [[0]] });
  });

  it('pads OPT between picture and text, and T5 on the right', () => {
    const question = questionPrompt('which city is this?');
    const demoIds = recorded.demo.encoded[1]?.ids ?? [];
    expect(preparePrompts([null, question], demoTokenizer, opt)).toEqual({
      textIds: [[...Array.from({ length: demoIds.length - 1 }, () => 1), 2], demoIds],
      textMask: [[...Array.from({ length: demoIds.length - 1 }, () => 0), 1], demoIds.map(() => 1)],
      contextIds: [
        [393, 393, 393, 2],
        [393, 393, 393, ...demoIds],
      ],
    });
    const t5Ids = recorded.t5.encoded[1]?.ids ?? [];
    expect(preparePrompts([null, question], t5Tokenizer, t5)).toEqual({
      textIds: [[1, ...Array.from({ length: t5Ids.length - 1 }, () => 0)], t5Ids],
      textMask: [[1, ...Array.from({ length: t5Ids.length - 1 }, () => 0)], t5Ids.map(() => 1)],
      contextIds: [[0], [0]],
    });
  });

  it('begins prompts as the tokenizer does, whatever text_config says of BOS', () => {
    const ids = demoTokenizer.encode('a photo of');
    for (const encoded of [[7, ...ids.slice(1)], ids.slice(1)]) {
      const other: TextTokenizer = { encode: () => encoded, decode: () => '' };
      expect(preparePrompts(['a photo of'], other, opt).textIds).toEqual([encoded]);
    }
  });

  it('refuses what becomes no tokens', () => {
    const bare: TextTokenizer = { encode: () => [], decode: () => '' };
    expect(() => preparePrompts([''], bare, opt)).toThrow('the prompt "" becomes no tokens');
  });

  it('needs no placeholder for a file from before there were any', () => {
    const legacy = parseBlip2Config({ model_type: 'blip-2', text_config: { model_type: 'opt', vocab_size: 400 } });
    expect(preparePrompts(['a photo of'], demoTokenizer, legacy).contextIds).toEqual([recorded.demo.encoded[0]?.ids]);
  });

  it.each([
    ['the placeholder of the picture', 'a <image> of', opt],
    [
      "the model's vocabulary ends at 99",
      'a photo of',
      { ...opt, imageTokenId: null, text: { ...opt.text, vocabSize: 100 } },
    ],
  ])('refuses %s', (reason, prompt, config) => {
    expect(() => preparePrompts([prompt], demoTokenizer, config)).toThrow(reason);
  });
});

describe('AnswerStream', () => {
  it('holds back what tokenizers join to what is before it, and gives it at the end', () => {
    const { kinds } = json('test/fixtures/text/composed.json') as { kinds: { t5: object } };
    const vocab = ['<pad>', '</s>', '<unk>', "▁'", '▁stop', '▁n', "'", 't', '▁'].map((piece) => [piece, -1]);
    const file = { ...kinds.t5, added_tokens: [], model: { type: 'Unigram', unk_id: 2, vocab } };
    const tokenizer = createTokenizer(file, { tokenizer_class: 'T5Tokenizer', clean_up_tokenization_spaces: true });
    for (const ids of [
      [4, 3, 4, 5, 6, 7, 4, 3, 1],
      [4, 3, 8, 4, 5, 8, 7, 1],
    ]) {
      const stream = new AnswerStream(tokenizer);
      const pieces = ids.map((id) => stream.push(id));
      expect(pieces.join('')).toBe(answerText(ids, tokenizer));
      expect(pieces[0]).toBe('stop');
    }
  });
});

describe('answerText', () => {
  it('leaves out special tokens and the white space around', () => {
    const ids = [...demoTokenizer.encode(' small red\n'), recorded.demo.image, 1];
    expect(demoTokenizer.decode(ids)).toBe(' small red\n');
    expect(answerText(ids, demoTokenizer)).toBe('small red');
  });

  it("takes for white space what Python's strip does", () => {
    // All of `[chr(c) for c in range(0x110000) if not chr(c).strip()]`.
    const spaces =
      '\t\n\v\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000';
    const decoding = (text: string): TextTokenizer => ({ encode: () => [], decode: () => text });
    expect(answerText([], decoding(`${spaces}a b${spaces}`))).toBe('a b');
    expect(answerText([], decoding(spaces))).toBe('');
    expect(answerText([], decoding('\ufeffa\u200b'))).toBe('\ufeffa\u200b');
  });
});
