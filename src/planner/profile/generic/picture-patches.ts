/** Patches of pictures, which towers work on and several of which become a token of the prompt. */
import { asConfig, numberOf, type AnyConfig } from '../../models/model-config.js';

/** What makes tokens of patches runs on as many rows as there are tokens; sound has no patches. */
export const WITHOUT_PATCHES = /merger|projector|connector|resampler|audio/i;

/** How many patches a token stands for in a block; 1 where config.json does not say. */
export function patchesPerToken(config: AnyConfig, block: string): number {
  const vision = asConfig(config['vision_config']);
  const stages = Math.max(stagesOf(asConfig(config['encoder'])), IN_A_BACKBONE.test(block) ? stagesOf(vision) : 1);
  if (stages > 1) return MERGED ** (stages - 1 - stageOf(block, stages));
  const side =
    numberOf(vision, 'spatial_merge_size', 'scale_factor') ??
    numberOf(config, 'spatial_merge_size', 'scale_factor', 'downsample_factor');
  if (side !== null) return side ** 2;
  const ratio = numberOf(config, 'downsample_ratio') ?? numberOf(vision, 'pixel_shuffle_ratio');
  if (ratio !== null) return ratio ** -2;
  const tokens = numberOf(config, 'mm_tokens_per_image');
  const [picture, patch] = [numberOf(vision, 'image_size'), numberOf(vision, 'patch_size')];
  return tokens === null || picture === null || patch === null ? 1 : Math.max(1, (picture / patch) ** 2 / tokens);
}

/** Patches that become one between two stages. */
const MERGED = 4;

const IN_A_STAGE = /(?:^|\.)(?:layers|stages|levels|blocks?)\.(\d+)/;
const OF_THE_LAST = /(^|\.)(classifier|distillation_classifier|head|pooler)(\.|$)/;
/** What works on the patches of all stages, or on none. */
const AFTER_ALL = /(^|\.|_)(decode\w*|neck|queries|text\w*)(\.|$)/;
/** What draws hidden pixels of the last stage's patches, `encoder_stride` of each. */
const DRAWS = /^decoder\.0$/;
const BACKBONES = ['backbone_config', 'vision_config', 'audio_config'];
const IN_A_BACKBONE = /(^|\.)(\w*backbone|pixel_level_module\.encoder|vision\w*|audio\w*)\./;

/** The part of a picture's patches that a block works on, where each stage merges those of the one before it; 1 where none does. */
export function patchesLeft(config: AnyConfig, block: string): number {
  const parts = IN_A_BACKBONE.test(block) ? [config, ...BACKBONES.map((part) => asConfig(config[part]))] : [config];
  // What makes pictures larger merges nothing, as Swin2SR.
  const isDrawn = numberOf(config, 'encoder_stride') !== null && DRAWS.test(block);
  if ((AFTER_ALL.test(block) && !isDrawn) || numberOf(config, 'upscale') !== null) return 1;
  const stages = Math.max(...parts.map(({ depths }) => (Array.isArray(depths) ? depths.length : 1)));
  const stage = IN_A_STAGE.exec(block)?.[1];
  const before =
    stage === undefined ? (isDrawn || OF_THE_LAST.test(block) ? stages - 1 : 0) : Math.min(Number(stage), stages - 1);
  return MERGED ** -before;
}

/** Stages of an encoder that merges patches as it goes, as Swin does; 1 of any other. */
function stagesOf({ depths }: AnyConfig): number {
  return Array.isArray(depths) ? Math.max(1, depths.length) : 1;
}

function stageOf(block: string, stages: number): number {
  const stage = /(?:^|\.)(?:layers|blocks|convs)\.(\d+)/.exec(block)?.[1];
  return Math.min(stages - 1, Number(stage ?? (/(^|\.)embeddings(\.|$)/.test(block) ? 0 : stages - 1)));
}

/** Of a patch, the results of a convolution at twice the resolution, their norm, and what is pooled of it. */
const RESULTS_OF_STEM = 2.25 * 4;
const STEM = /(^|\.)embedder(\.|$)/;

/** Elements of what makes the first stage's patches by a convolution on four times as many, as ResNet's; 0 for other blocks. */
export function stemElements(block: string, patches: number, config: AnyConfig): number {
  const parts = [config, ...BACKBONES.map((part) => asConfig(config[part]))];
  const widths = parts.map((part) => (Array.isArray(part['depths']) ? (numberOf(part, 'embedding_size') ?? 0) : 0));
  return STEM.test(block) ? Math.ceil(RESULTS_OF_STEM * patches * Math.max(...widths)) : 0;
}

/** Tokens that an encoder makes of a picture of its size; null where config.json does not say how large that is. */
export function encodedPicture(config: AnyConfig, tensors: ReadonlyMap<string, unknown>): number | null {
  const encoder = asConfig(config['encoder']);
  const sides = sidesOf(encoder['image_size']);
  const patch = numberOf(encoder, 'patch_size');
  if (sides === null || patch === null) return null;
  const step = patch * MERGED ** ((stagesOf(encoder) - 1) / 2);
  const [rows = 0, columns = 0] = sides.map((side) => Math.floor(side / step));
  const beside = ['cls_token', 'distillation_token'].filter((name) => tensors.has(`encoder.embeddings.${name}`));
  return Math.max(1, rows * columns + beside.length);
}

function sidesOf(size: unknown): readonly number[] | null {
  const sides: unknown[] = Array.isArray(size) ? size : [size, size];
  const numbers = sides.filter((side) => typeof side === 'number' && side > 0);
  return numbers.length === 2 && sides.length === 2 ? numbers.map(Number) : null;
}

/** Elements of a patch where its position turns queries and keys, which towers of Qwen and GLM do in float32 with all of them. */
export function turnedElements(config: AnyConfig): number {
  const vision = asConfig(config['vision_config']);
  if (numberOf(vision, 'spatial_merge_size') === null) return 0;
  return 22 * (numberOf(vision, 'embed_dim', 'hidden_size') ?? 0);
}
