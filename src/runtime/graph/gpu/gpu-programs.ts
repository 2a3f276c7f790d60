/** The programs of BLIP-2 on a GPU: once per picture, once per prompt (T5), and once per token. The host looks rows of tables up. */
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { Block, BlockKind } from '../../../model/blocks.js';
import { stepsOf, type Lowerings, type Step } from '../program.js';
import { cacheWires, crossWire, presentWire } from '../wires.js';
import { lowerGpuHead } from './gpu-head.js';
import { lowerGpuLlamaLayer, lowerGpuLlamaNorm } from './gpu-llama.js';
import {
  lowerGpuOptLayer,
  lowerGpuOptNorm,
  lowerGpuOptPositions,
  lowerGpuOptProjectIn,
  lowerGpuOptProjectOut,
} from './gpu-opt.js';
import {
  lowerGpuQFormerEmbeddings,
  lowerGpuQFormerJointLayer,
  lowerGpuQFormerLayer,
  lowerGpuQFormerNorm,
  lowerGpuQueryTokens,
} from './gpu-qformer.js';
import {
  lowerGpuT5CrossCache,
  lowerGpuT5DecoderLayer,
  lowerGpuT5DecoderNorm,
  lowerGpuT5EncoderLayer,
  lowerGpuT5EncoderNorm,
} from './gpu-t5.js';
import { lowerGpuProjection, lowerGpuVisionEmbeddings, lowerGpuVisionLayer, lowerGpuVisionNorm } from './gpu-vision.js';

/** Layers, each of which may be a unit of its own. */
export const GPU_LAYERS: ReadonlySet<BlockKind> = new Set<BlockKind>([
  'vision-layer',
  'opt-layer',
  'llama-layer',
  't5-encoder-layer',
  't5-decoder-layer',
]);

/** The same where the Q-Former's layers are units as well, so that each passes many pictures. */
export const GPU_LAYERS_APART: ReadonlySet<BlockKind> = new Set([...GPU_LAYERS, 'qformer-layer']);

const IMAGE: Lowerings = {
  'vision-embeddings': lowerGpuVisionEmbeddings,
  'vision-layer': lowerGpuVisionLayer,
  'vision-norm': lowerGpuVisionNorm,
  'query-tokens': lowerGpuQueryTokens,
  'qformer-norm': lowerGpuQFormerNorm,
  'qformer-layer': lowerGpuQFormerLayer,
  projection: lowerGpuProjection,
};

/** With an instruction, which the Q-Former reads beside the picture. */
const INSTRUCTED_IMAGE: Lowerings = {
  ...IMAGE,
  'qformer-embeddings': lowerGpuQFormerEmbeddings,
  'qformer-layer': lowerGpuQFormerJointLayer,
};

/** A decoder layer takes part in both programs of T5: its cross-attention's keys and values are made once per prompt. */
const T5_PROMPT: Lowerings = {
  't5-encoder-layer': lowerGpuT5EncoderLayer,
  't5-encoder-norm': lowerGpuT5EncoderNorm,
  't5-decoder-layer': lowerGpuT5CrossCache,
};

const TOKEN: Lowerings = {
  'opt-project-in': lowerGpuOptProjectIn,
  'opt-layer': lowerGpuOptLayer,
  'opt-norm': lowerGpuOptNorm,
  'opt-project-out': lowerGpuOptProjectOut,
  'llama-layer': lowerGpuLlamaLayer,
  'llama-norm': lowerGpuLlamaNorm,
  't5-decoder-layer': lowerGpuT5DecoderLayer,
  't5-decoder-norm': lowerGpuT5DecoderNorm,
  head: lowerGpuHead,
};

/** `pixel_values`, and the words of an InstructBLIP, to `language_input`. */
export const gpuImageSteps = (config: Blip2Config): Step[] =>
  stepsOf(config, config.qformer.text === null ? IMAGE : INSTRUCTED_IMAGE);

/** T5's encoder: `encoder_hidden` and `encoder_bias` to the keys and values of cross-attention. Others have no such program. */
export const gpuPromptSteps = (config: Blip2Config): Step[] =>
  config.text.family === 't5' ? stepsOf(config, T5_PROMPT) : [];

/** New tokens and the caches to `logits`. */
export function gpuTokenSteps(config: Blip2Config): Step[] {
  const all = stepsOf(config, TOKEN);
  const [first] = all;
  if (config.text.family !== 'opt' || first?.block.kind !== 'opt-layer') return all;
  // Where the first layer is: the table itself is the host's.
  return [{ block: { ...first.block, kind: 'opt-positions' }, lower: lowerGpuOptPositions }, ...all];
}

/** The caches that a block writes in a program: of new tokens, or of the prompt that cross-attention reads. */
export const gpuCacheWires = (program: 'prompt' | 'token', block: Block): string[] =>
  cacheWires(program === 'prompt' ? crossWire : presentWire, block);
