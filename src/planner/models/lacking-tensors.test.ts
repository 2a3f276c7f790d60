import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { preparePlan } from '../plan/request/prepare-plan.js';
import { loadModelTable } from './load-model-table.js';

const models = await loadModelTable();

const [ROWS, HIDDEN] = [50, 8];
const tensorsOf = (rows: Readonly<Record<string, readonly number[]>>): Map<string, TensorInfo> =>
  new Map(Object.entries(rows).map(([name, shape]) => [name, { dtype: 'F16', shape }]));
const table = (name: string) => ({ [name]: [ROWS, HIDDEN] });

/** Elements of a plan for transformers, and what it says that no file holds. */
function planned(cls: string, type: string, config: object, rows: Readonly<Record<string, readonly number[]>>) {
  const budgets = { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 };
  const named = { architectures: [cls], model_type: type, ...config };
  const options = { config: named, models, engine: 'transformers', dtype: 'float16', budgets } as const;
  const { profile } = preparePlan(tensorsOf(rows), options);
  const said = profile.assumptions.filter((text) => text.startsWith('No file holds') && text.includes('counts'));
  return { elements: profile.weightBytes / 2, said };
}

/**
 * Of classes, by what the whole and the language model's part say of ties, whether transformers 5.24 shares the table of words with a
 * head that no file holds, or makes one. Cells: (nothing, false, true) of the whole x (nothing, false, true) of the part.
 */
const TIES: readonly [cls: string, type: string, words: string, letters: string][] = [
  ['LlamaForCausalLM', 'llama', 'model.embed_tokens.weight', 'FFFFFFTTT'],
  ['GPT2LMHeadModel', 'gpt2', 'transformer.wte.weight', 'TTTFFFTTT'],
  ['T5ForConditionalGeneration', 't5', 'shared.weight', 'TTTTTTTTT'],
  ['LlavaForConditionalGeneration', 'llava', 'model.language_model.embed_tokens.weight', 'FFTFFTTTT'],
  ['Idefics3ForConditionalGeneration', 'idefics3', 'model.text_model.embed_tokens.weight', 'FFFFFFTTT'],
  ['Gemma3ForConditionalGeneration', 'gemma3', 'model.language_model.embed_tokens.weight', 'TTTFFFTTT'],
];
const CELLS = [undefined, false, true].flatMap((whole, at) =>
  [undefined, false, true].map((part, below) => ({ whole, part, at: 3 * at + below })),
);

describe('a head that no file holds', () => {
  it.each(TIES)('%s: is the table of words, or made anew', (cls, type, words, letters) => {
    const answers = CELLS.map(({ whole, part, at }) => {
      const text = part === undefined ? {} : { tie_word_embeddings: part };
      const config = { ...(whole === undefined ? {} : { tie_word_embeddings: whole }), text_config: text };
      const { elements, said } = planned(cls, type, config, table(words));
      expect(said).toHaveLength(letters[at] === 'T' ? 0 : 1);
      return elements === ROWS * HIDDEN ? 'T' : elements === 2 * ROWS * HIDDEN ? 'F' : String(elements);
    });
    expect(answers.join('')).toBe(letters);
  });

  // Whatever the whole says, of which RAG's configuration has no such field.
  it('is tied where the part that it is of ties by itself', () => {
    const rows = table('rag.generator.model.shared.weight');
    const config = { tie_word_embeddings: false, generator: { model_type: 'bart' } };
    expect(planned('RagTokenForGeneration', 'rag', config, rows)).toEqual({ elements: ROWS * HIDDEN, said: [] });
  });

  it('is as large as the vocabulary where no table is there either', () => {
    const rows = { 'model.norm.weight': [HIDDEN] };
    const config = { vocab_size: ROWS, hidden_size: HIDDEN, tie_word_embeddings: false };
    expect(planned('LlamaForCausalLM', 'llama', config, rows).elements).toBe(ROWS * HIDDEN + HIDDEN);
  });

  it('is not made beside a packed one', () => {
    const rows = { ...table('model.embed_tokens.weight'), 'lm_head.qweight': [ROWS] };
    const config = { vocab_size: ROWS, hidden_size: HIDDEN, tie_word_embeddings: false };
    expect(planned('LlamaForCausalLM', 'llama', config, rows).elements).toBe(ROWS * HIDDEN + ROWS);
  });
});

describe('what else no file holds', () => {
  const text = { vocab_size: ROWS, hidden_size: HIDDEN, max_position_embeddings: 20 };
  const bert = table('embeddings.word_embeddings.weight');

  it.each([
    ['a pooler', 'BertModel', 'bert', {}, bert, HIDDEN * HIDDEN + HIDDEN],
    [
      'no pooler that is there',
      'BertModel',
      'bert',
      {},
      { ...bert, 'pooler.dense.weight': [HIDDEN, HIDDEN] },
      HIDDEN * HIDDEN,
    ],
    ['no pooler that has no weights', 'MobileBertModel', 'mobilebert', { classifier_activation: false }, bert, 0],
    [
      'a classifier of as many labels as are named',
      'LlamaForSequenceClassification',
      'llama',
      { id2label: { 0: 'a', 1: 'b', 2: 'c' } },
      table('model.embed_tokens.weight'),
      3 * HIDDEN,
    ],
    [
      'one of two, where none are',
      'LlamaForSequenceClassification',
      'llama',
      {},
      table('model.embed_tokens.weight'),
      2 * HIDDEN,
    ],
    [
      'tables of positions',
      'MarianMTModel',
      'marian',
      { d_model: HIDDEN },
      {
        ...table('model.shared.weight'),
        'model.encoder.layers.0.fc1.bias': [HIDDEN],
        'model.decoder.layers.0.fc1.bias': [HIDDEN],
      },
      2 * 20 * HIDDEN + 2 * HIDDEN,
    ],
    [
      'none where they are not learned',
      'TrOCRForCausalLM',
      'trocr',
      { d_model: HIDDEN, use_learned_position_embeddings: false },
      { ...table('model.decoder.embed_tokens.weight'), 'model.decoder.layers.0.fc1.bias': [HIDDEN] },
      HIDDEN,
    ],
    [
      'what stands for sound that is left out',
      'Wav2Vec2Model',
      'wav2vec2',
      {},
      { 'encoder.layer_norm.weight': [ROWS * HIDDEN] },
      HIDDEN,
    ],
    [
      'nothing of that where none is',
      'Wav2Vec2Model',
      'wav2vec2',
      { mask_time_prob: 0 },
      { 'encoder.layer_norm.weight': [ROWS * HIDDEN] },
      0,
    ],
  ])('%s: %s', (_, cls, type, config, rows, more) => {
    expect(planned(cls, type, { ...text, ...config }, rows).elements).toBe(ROWS * HIDDEN + more);
  });
});
