/** The programs of BLIP-2: once per picture, once per prompt (T5), and once per token. */
import type { Blip2Config } from '../../model/blip2-config.js';
import { lowerLlamaLayer, lowerLlamaNorm, lowerLlamaTokens } from './llama.js';
import {
  lowerOptLayer,
  lowerOptNorm,
  lowerOptPositions,
  lowerOptProjectIn,
  lowerOptProjectOut,
  lowerOptTokens,
} from './opt.js';
import { stepsOf, type Lowerings, type Program } from './program.js';
import {
  lowerProjection,
  lowerQFormerEmbeddings,
  lowerQFormerJointLayer,
  lowerQFormerLayer,
  lowerQFormerNorm,
  lowerQueryTokens,
} from './qformer.js';
import {
  lowerT5CrossCache,
  lowerT5DecoderLayer,
  lowerT5DecoderNorm,
  lowerT5DecoderTokens,
  lowerT5EncoderLayer,
  lowerT5EncoderNorm,
  lowerT5PromptTokens,
} from './t5.js';
import { lowerVisionEmbeddings, lowerVisionLayer, lowerVisionNorm } from './vision.js';
import { lowerHead } from './vocabulary.js';
import { cacheWires, crossWire, presentWire } from './wires.js';

const IMAGE: Lowerings = {
  'vision-embeddings': lowerVisionEmbeddings,
  'vision-layer': lowerVisionLayer,
  'vision-norm': lowerVisionNorm,
  'query-tokens': lowerQueryTokens,
  'qformer-norm': lowerQFormerNorm,
  'qformer-layer': lowerQFormerLayer,
  projection: lowerProjection,
};

/** With an instruction, which the Q-Former reads beside the picture. */
const INSTRUCTED_IMAGE: Lowerings = {
  ...IMAGE,
  'qformer-embeddings': lowerQFormerEmbeddings,
  'qformer-layer': lowerQFormerJointLayer,
};

const OPT: Lowerings = {
  'opt-tokens': lowerOptTokens,
  'opt-project-in': lowerOptProjectIn,
  'opt-positions': lowerOptPositions,
  'opt-layer': lowerOptLayer,
  'opt-norm': lowerOptNorm,
  'opt-project-out': lowerOptProjectOut,
  head: lowerHead,
};

const LLAMA: Lowerings = {
  'llama-tokens': lowerLlamaTokens,
  'llama-layer': lowerLlamaLayer,
  'llama-norm': lowerLlamaNorm,
  head: lowerHead,
};

/** A decoder layer takes part in both: its cross-attention's keys and values are made once per prompt. */
const T5_PROMPT: Lowerings = {
  't5-tokens': lowerT5PromptTokens,
  't5-encoder-layer': lowerT5EncoderLayer,
  't5-encoder-norm': lowerT5EncoderNorm,
  't5-decoder-layer': lowerT5CrossCache,
};

const T5_TOKEN: Lowerings = {
  't5-tokens': lowerT5DecoderTokens,
  't5-decoder-layer': lowerT5DecoderLayer,
  't5-decoder-norm': lowerT5DecoderNorm,
  head: lowerHead,
};

/**
 * `pixel_values` to `language_input`, with `word_ids` and `word_bias` where the model is an InstructBLIP. The last values of
 * `vision` (image embeddings) and `query` can be asked for too.
 */
export function imageProgram(config: Blip2Config, outputs: readonly string[] = ['language_input']): Program {
  return { steps: stepsOf(config, config.qformer.text === null ? IMAGE : INSTRUCTED_IMAGE), outputs };
}

/** T5's encoder: `prefix`, ids and mask to the cross-attention's keys and values. OPT has no such program. */
export function promptProgram(config: Blip2Config): Program {
  const lowered = stepsOf(config, T5_PROMPT);
  return { steps: lowered, outputs: lowered.flatMap(({ block }) => cacheWires(crossWire, block)) };
}

/**
 * Tokens to logits. OPT and LLaMA read whole prompts with it (`prefix`, ids, positions, mask, a past without length) and then one
 * token at a time; T5 reads the ids of the decoder and what the prompt program made.
 */
export function tokenProgram(config: Blip2Config): Program {
  const lowered = stepsOf(config, { opt: OPT, llama: LLAMA, t5: T5_TOKEN }[config.text.family]);
  return { steps: lowered, outputs: ['logits', ...lowered.flatMap(({ block }) => cacheWires(presentWire, block))] };
}
