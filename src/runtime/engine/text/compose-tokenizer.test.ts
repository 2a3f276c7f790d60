/** Tokenizers of two files that do not say the same, as transformers' processors take them (`record_composed.py`). */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { at } from '../../../checked-access.js';
import { parseModelConfig } from '../../../model/blip2-config.js';
import { readCheckpointFiles, readPromptTokenizer } from '../checkpoint-files.js';
import { FOREIGN_CLASSES } from './foreign-classes.js';
import { createTokenizer } from './tokenizer.js';

const ids = z.array(z.number());
const fields = z.record(z.string(), z.unknown());
const recorded = z
  .object({
    queries: z.number(),
    kinds: z.record(z.string(), fields),
    texts: z.array(z.string()),
    rows: z.array(ids),
    cases: z.array(
      z.object({
        name: z.string(),
        kind: z.string(),
        file: fields,
        config: fields,
        /** Older files. */
        beside: fields.default({}),
        ids: z.array(ids.nullable()),
        decoded: z.array(z.string()),
      }),
    ),
  })
  .parse(JSON.parse(await readFile('test/fixtures/text/composed.json', 'utf8')));
const { queries, kinds, texts, rows, cases } = recorded;
const blip2 = parseModelConfig({ model_type: 'blip-2', num_query_tokens: queries });

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-tokenizers-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(prefix: string, kind: string, file: object, config: object | null): Promise<void> {
  await mkdir(join(folder, prefix), { recursive: true });
  await writeFile(join(folder, prefix, 'tokenizer.json'), JSON.stringify({ ...kinds[kind], ...file }));
  await writeFile(join(folder, prefix, 'tokenizer_config.json'), JSON.stringify(config));
}

describe('tokenizers of both of their files', () => {
  it.each(cases)('$name', async ({ kind, file, config, beside, ids: expected, decoded }) => {
    await write('', kind, file, config);
    for (const name of ['special_tokens_map.json', 'added_tokens.json'])
      await (name in beside
        ? writeFile(join(folder, name), JSON.stringify(beside[name]))
        : rm(join(folder, name), { force: true }));
    const tokenizer = (await readPromptTokenizer(folder, blip2))();
    const found = texts.map((text, i) => {
      if (expected[i] !== null) return tokenizer.encode(text);
      // The picture alone is longer than the files have texts be: an OverflowError there.
      expect(() => tokenizer.encode(text)).toThrow(`texts to 3 tokens, and the picture alone takes ${queries}`);
      return null;
    });
    expect(found).toEqual(expected);
    expect(rows.map((row) => tokenizer.decode(row))).toEqual(decoded);
  });

  it('cuts what the Q-Former reads by the files of the language model, without the places of the picture', async () => {
    await write('', 'llama', {}, { max_length: 8 });
    await write('qformer_tokenizer', 'bert', {}, { tokenizer_class: 'BertTokenizer', max_length: 3 });
    await writeFile(join(folder, 'preprocessor_config.json'), '{}');
    const config = parseModelConfig({ model_type: 'instructblip', num_query_tokens: queries });
    const { tokenizer, wordTokenizer } = (await readCheckpointFiles(folder, config)).tokenizers();
    const question = at(texts, 5);
    expect(tokenizer.encode(question)).toHaveLength(8 - queries);
    expect(wordTokenizer?.encode(question)).toHaveLength(8);
  });

  it('encodes no prompt where config.json knows the picture by another id: transformers would not see it', async () => {
    await write('', 'opt', {}, { tokenizer_class: 'GPT2Tokenizer' });
    const [id = 0] = (await readPromptTokenizer(folder, blip2))().encode('<image>').slice(-1);
    const encoded = async (imageTokenId: number | null) =>
      (await readPromptTokenizer(folder, { ...blip2, imageTokenId }))().encode(at(texts, 3));
    expect(await encoded(id)).toEqual(await encoded(null));
    await expect(encoded(id - 1)).rejects.toMatchObject({
      code: 'TOKENIZER_INVALID',
      message: expect.stringContaining(`${id - 1} as image_token_index`),
    });
  });

  it('says who writes the file of a slow tokenizer', async () => {
    const empty = await mkdtemp(join(folder, 'slow-'));
    await writeFile(join(empty, 'tokenizer_config.json'), '{}');
    await expect(readPromptTokenizer(empty, blip2)).rejects.toMatchObject({
      code: 'CHECKPOINT_FILE_MISSING',
      hint: expect.stringContaining('AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)'),
    });
  });

  it.each([
    [{ split_special_tokens: true }, '"split_special_tokens" is not done here'],
    [{ padding: 'max_length', max_length: 12 }, '"padding" fills prompts up'],
    [{ padding: true, pad_to_multiple_of: 8 }, '"padding" fills prompts up'],
    [{ truncation: true, model_max_length: 9 }, '"truncation" needs "max_length" beside it'],
    [{ truncation_side: 'Left' }, '"truncation_side" is "Left", not "left" or "right"'],
    [{ is_split_into_words: true }, '"is_split_into_words" is not done here'],
    // transformers takes it for a setting of pictures, which are not normalised then.
    [{ do_normalize: false }, '"do_normalize" is obeyed by transformers as a setting of pictures'],
  ])('refuses what it does not do: %j', async (config, reason) => {
    await write('', 'opt', {}, config);
    const make = await readPromptTokenizer(folder, blip2);
    expect(make).toThrow(reason);
  });

  it.each([
    ['opt', { normalizer: { type: 'Nmt' } }, '"normalizer" {"type":"Nmt"} is not done here'],
    ['opt', { pre_tokenizer: { type: 'UnicodeScripts' } }, '"pre_tokenizer" {"type":"UnicodeScripts"} is not'],
    [
      'opt',
      { pre_tokenizer: { type: 'Split', pattern: { String: '' }, behavior: 'Isolated', invert: false } },
      '"pattern":{"String":""}',
    ],
    [
      't5',
      {
        pre_tokenizer: {
          type: 'Sequence',
          pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', prepend_scheme: 'first' }],
        },
      },
      '"Metaspace" with "prepend_scheme": "first" beside other steps',
    ],
    ['opt', { decoder: { type: 'CTC' } }, '"decoder" {"type":"CTC"} is not done here'],
    ['opt', { decoder: { type: 'Replace', pattern: { Regex: 'a' }, content: '' } }, '"pattern":{"Regex":"a"}'],
    ['opt', { post_processor: { type: 'Other' } }, '"post_processor" of type "Other" is not done here'],
    [
      'opt',
      {
        post_processor: {
          type: 'Sequence',
          processors: ['Bert', 'Roberta'].map((name) => ({ type: `${name}Processing`, cls: ['a', 1], sep: ['b', 2] })),
        },
      },
      'around a text twice',
    ],
    ['opt', { model: { type: 'WordLevel', vocab: { a: 0 }, unk_token: 'a' } }, 'of type "WordLevel" is not done here'],
    ['t5', { model: { type: 'Unigram', vocab: [['a', 0]], unk_id: null } }, 'its vocabulary lacks "unk_id"'],
    ['bert', { model: { type: 'WordPiece', vocab: { a: 0 }, unk_token: '[UNK]' } }, 'lacks "unk_token"'],
    ['opt', { model: { type: 'BPE', vocab: { a: 0 }, merges: [], dropout: 0.1 } }, '"dropout": 0.1 of a BPE'],
    [
      'opt',
      { model: { type: 'BPE', vocab: { a: 0 }, merges: [], end_of_word_suffix: '</w>' } },
      '"end_of_word_suffix"',
    ],
  ])(
    'refuses a tokenizer of %s with %j: what would be made of it is something else than there',
    async (kind, file, reason) => {
      await write('', kind, file, { tokenizer_class: 'TokenizersBackend' });
      const make = await readPromptTokenizer(folder, blip2);
      expect(make).toThrow(reason);
    },
  );

  it.each([
    [
      'opt',
      { tokenizer_class: 'T5TokenizerFast' },
      'T5TokenizerFast" of tokenizer_config.json is not for a tokenizer.json of BPE over bytes',
    ],
    ['llama', { tokenizer_class: 'GPT2Tokenizer' }, 'is not for a tokenizer.json of BPE'],
    ['t5', { tokenizer_class: 'LlamaTokenizer' }, 'is not for a tokenizer.json of Unigram'],
    [
      'opt',
      { tokenizer_class: 'RobertaTokenizerFast' },
      'RobertaTokenizerFast" of tokenizer_config.json has rules of its own',
    ],
    ['opt', { tokenizer_class: 3 }, 'is 3, which is no name'],
    ['opt', [], 'tokenizer_config.json is not an object'],
    ['opt', null, 'tokenizer_config.json is not an object'],
  ])(
    'refuses a tokenizer of %s with %j, of which transformers makes nonsense or nothing',
    async (kind, config, reason) => {
      await write('', kind, {}, config);
      const make = await readPromptTokenizer(folder, blip2);
      expect(make).toThrow(reason);
    },
  );

  it.each(['LlamaTokenizer', 'LlamaTokenizerFast', 'OfNobodyTokenizer'])(
    'takes the file of OPT as it is for %s, as transformers does',
    async (name) => {
      const text = at(texts, 3);
      await write('', 'opt', {}, { tokenizer_class: 'PreTrainedTokenizerFast' });
      const expected = (await readPromptTokenizer(folder, blip2))().encode(text);
      await write('', 'opt', {}, { tokenizer_class: name });
      expect((await readPromptTokenizer(folder, blip2))().encode(text)).toEqual(expected);
    },
  );

  it('takes long texts: what is unknown, white space and words without end', () => {
    const steps = { normalizer: { type: 'Strip', strip_left: true, strip_right: true }, pre_tokenizer: null };
    const tokenizer = createTokenizer({ ...kinds['t5'], ...steps }, { tokenizer_class: 'TokenizersBackend' });
    const [a, unknown, end] = tokenizer.encode('a日');
    // Letters of no token are one token as far as they go.
    for (const letter of ['日', ' '])
      expect(tokenizer.encode(`a${letter.repeat(40_000)}a`)).toEqual([a, unknown, a, end]);
    expect(tokenizer.encode('a'.repeat(130_000))).toHaveLength(130_001);
    for (const side of ['lstrip', 'rstrip']) {
      const added_tokens = [{ id: 900, content: ' ', normalized: false, [side]: true }];
      const spaces = createTokenizer({ ...kinds['bert'], added_tokens }, { tokenizer_class: 'TokenizersBackend' });
      expect(spaces.encode(' '.repeat(40_000)).length).toBeGreaterThan(2);
    }
  });

  it('knows the names of all classes that transformers has', async () => {
    const { names } = z
      .object({ names: z.array(z.string()) })
      .parse(JSON.parse(await readFile('test/fixtures/text/classes.json', 'utf8')));
    const done = ['GPT2Tokenizer', 'LlamaTokenizer', 'T5Tokenizer', 'BertTokenizer'];
    expect([...FOREIGN_CLASSES, ...done].toSorted()).toEqual(names.toSorted());
  });
});
