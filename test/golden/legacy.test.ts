/** Checkpoints as other years and other savers wrote them: the same numbers under other names, other vocabularies. */
import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { blip2Tensors } from '../../src/model/blip2-tensors.js';
import { blip2Profiler } from '../../src/planner/profile/blip2/blip2-profile.js';
import { parseWorkload } from '../../src/planner/profile/workload/workload.js';
import { blip2Sessions } from '../../src/runtime/session/cpu/blip2-sessions.js';
import type { SessionSources } from '../../src/runtime/session/cpu/start-program.js';
import { floats, goldenSources, maxDifference, promptOf, readRecording, tensorOf } from './golden.js';

type Sources = SessionSources<number>;
type Tensors = Sources['tensors'];

const HEAD = 'language_model.lm_head.weight';

/** The tensors under other names: each old name gives way to the new ones, which all are the same bytes. */
function renamed(tensors: Tensors, from: string, to: readonly string[]): Tensors {
  const moved = tensors.get(from);
  if (moved === undefined) throw new Error(`no ${from}`);
  const rest = [...tensors].filter(([name]) => name !== from);
  return new Map([...rest, ...to.map((name) => [name, moved] as const)]);
}

/** Largest difference to the recorded logits after the prompt. */
async function error(name: string, sources: Sources): Promise<number> {
  const recording = await readRecording(name, 'batch');
  const prompt = promptOf(recording, sources.config.numQueryTokens);
  await using sessions = await blip2Sessions(sources);
  const ours = await sessions.tokens({ prefix: tensorOf(recording.tensors, 'language_input'), ...prompt }).prefill();
  const recorded = tensorOf(recording.tensors, 'logits');
  const [rows = 0, length = 0, width = 0] = recorded.dims;
  const position = sources.config.text.family === 't5' ? 0 : length - 1;
  const errors = Array.from({ length: rows }, (_, row) => {
    const from = (row * length + position) * width;
    return maxDifference(ours.slice(row * width, (row + 1) * width), floats(recorded).subarray(from, from + width));
  });
  return Math.max(...errors);
}

describe('tied tables under any of their names', () => {
  const opt = 'language_model.model.decoder.embed_tokens.weight';
  const shared = 'language_model.shared.weight';
  const stacks = ['encoder', 'decoder'].map((stack) => `language_model.${stack}.embed_tokens.weight`);

  it.each([
    ['tiny-opt', opt, [HEAD]],
    ['tiny-opt', opt, [opt, HEAD]],
    ['tiny-t5-relu-tied', shared, [HEAD]],
    ['tiny-t5-relu-tied', shared, [shared, ...stacks, HEAD]],
    ['tiny-t5-relu-tied', shared, stacks],
    ['tiny-flan-t5', shared, stacks.slice(0, 1)],
    ['tiny-flan-t5', shared, stacks.slice(1)],
  ])('%s: %s as %j', async (name, from, to) => {
    const sources = await goldenSources(name);
    const tensors = renamed(sources.tensors, from, to);
    expect(await error(name, { ...sources, tensors })).toBeLessThan(1e-4);
    const options = { dtype: 'float32', engine: 'blip2-run' } as const;
    const bytes = (some: Tensors) => blip2Profiler(some, sources.config, options)(parseWorkload()).weightBytes;
    const table = sources.tensors.get(from);
    // OPT with both names may hold two tables for all that headers tell; T5's names are known to be one.
    const twice = to.includes(HEAD) && to.length > 1 && table !== undefined ? table.end - table.begin : 0;
    expect(bytes(tensors)).toBe(bytes(sources.tensors) + twice);
  });

  it('refuses a file without any of them, by name', async () => {
    const sources = await goldenSources('tiny-opt');
    const tensors = new Map([...sources.tensors].filter(([name]) => name !== opt));
    await expect(blip2Sessions({ ...sources, tensors })).rejects.toMatchObject({
      code: 'TENSOR_NOT_FOUND',
      details: { tensor: opt },
    });
  });

  it('refuses a file without a head where none is tied', async () => {
    const { config, ...sources } = await goldenSources('tiny-opt');
    if (config.text.family !== 'opt') throw new Error('no OPT');
    const untied = { ...config, text: { ...config.text, tied: false } };
    await expect(blip2Sessions({ ...sources, config: untied })).rejects.toMatchObject({
      code: 'TENSOR_NOT_FOUND',
      details: { tensor: HEAD },
    });
  });

  it('ignores tensors that old files hold and nothing reads', async () => {
    const sources = await goldenSources('tiny-flan-t5');
    const [some] = sources.tensors.values();
    if (some === undefined) throw new Error('no tensors');
    const extra = [
      'language_model.decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight',
      'vision_model.embeddings.position_ids',
      'temp',
    ].map((name) => [name, some] as const);
    const tensors = new Map([...sources.tensors, ...extra]);
    expect(await error('tiny-flan-t5', { ...sources, tensors })).toBeLessThan(1e-4);
  });
});

describe('configurations of other years', () => {
  const text = {
    model_type: 'opt',
    hidden_size: 2560,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    ffn_dim: 10240,
  };

  it.each([
    ['50272 rows before the refresh of 2024', undefined, 50272],
    ['50304 rows after it', 50304, 50304],
  ])('%s', (_, vocab_size, rows) => {
    const config = parseBlip2Config({ model_type: 'blip-2', text_config: { ...text, vocab_size } });
    const tensors = blip2Tensors(config, { dtype: 'F32', ownHead: false });
    expect(tensors.get('language_model.model.decoder.embed_tokens.weight')?.shape).toEqual([rows, 2560]);
  });

  it('reads full dumps with generation parameters inside, as 2023 wrote them', () => {
    const full = {
      model_type: 'blip-2',
      torch_dtype: 'float32',
      use_decoder_only_language_model: true,
      text_config: { ...text, top_k: 50, num_beams: 1, torch_dtype: 'float16', eos_token_id: 50118 },
      vision_config: { layer_norm_eps: 1e-5, hidden_act: 'gelu', no_repeat_ngram_size: 0 },
    };
    expect(parseBlip2Config(full)).toMatchObject({
      imageTokenId: null,
      numQueryTokens: 32,
      vision: { layerNormEps: 1e-5 },
      text: { eosTokenIds: [50118], vocabSize: 50272 },
    });
  });

  it('takes image_token_id for image_token_index', () => {
    expect(parseBlip2Config({ model_type: 'blip-2', image_token_id: 7 }).imageTokenId).toBe(7);
  });

  it('names what it cannot run: shared key heads, scaled rotary positions, other language models', () => {
    const refused = (text_config: object) => () => parseBlip2Config({ model_type: 'instructblip', text_config });
    expect(refused({ model_type: 'llama', num_key_value_heads: 8 })).toThrow('num_key_value_heads');
    expect(refused({ model_type: 'llama', rope_scaling: { type: 'linear', factor: 2 } })).toThrow('rope_scaling');
    expect(refused({ model_type: 'llama', rope_parameters: { rope_type: 'yarn' } })).toThrow('rope_type');
    expect(refused({ model_type: 'llama', rope_scaling: { rope_type: 'linear', factor: 2 } })).toThrow('rope_scaling');
    const obeyed = [
      'sliding_window',
      'attention_chunk_size',
      'min_new_tokens',
      'sequence_bias',
      'prompt_lookup_num_tokens',
      'use_mtp',
      'is_assistant',
      'prefill_chunk_size',
    ];
    for (const field of obeyed)
      for (const model_type of ['opt', 'llama', 't5'])
        expect(refused({ model_type, [field]: 4 })).toThrow(`${field}: it is obeyed by transformers`);
    expect(refused({ model_type: 'opt', cache_implementation: 'quantized' })).toThrow('cache_implementation: it is');
    expect(refused({ model_type: 'opt', cache_implementation: 'static' })).not.toThrow();
    expect(refused({ model_type: 'opt', is_causal: false })).toThrow('is_causal');
    expect(refused({ model_type: 'opt', is_encoder_decoder: true })).toThrow('is_encoder_decoder: true');
    expect(refused({ model_type: 't5', is_encoder_decoder: false })).toThrow('is_encoder_decoder: false');
    expect(refused({ model_type: 'gpt_neox' })).toThrow('language model "gpt_neox" is not opt, t5, llama');
  });
});
