/** What many pictures at once take of a device, for who runs without a plan: an upper estimate, which no budget relies on. */
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { TextConfig } from '../../../model/language-config.js';
import type { GpuFloat } from '../../graph/gpu/gpu-style.js';
import { headSize } from '../../graph/wires.js';
import type { BatchSize } from '../model/caption-model.js';

/** Caches have room for whole multiples of so many tokens. */
const CACHE_STEP = 64;
/** Numbers of an activation's width that a layer holds at once, and the copies of them that arenas keep. */
const WIDTHS = 8;
const COPIES = 2;

/** Bytes beyond the weights. */
export function batchBytes(config: Blip2Config, float: GpuFloat, { rows, encoded, tokens }: BatchSize): number {
  const { text, vision } = config;
  const floatBytes = float === 'F16' ? 2 : 4;
  const length = CACHE_STEP * Math.ceil(tokens / CACHE_STEP);
  const cache = 2 * cachedLayers(text) * text.heads * headSize(text) * length * floatBytes;
  const prompt = COPIES * tokens * (WIDTHS * text.hiddenSize + 2 * text.ffnSize) * floatBytes;
  const logits = text.vocabSize * (2 * 4 + floatBytes);
  const patches = (vision.imageSize / vision.patchSize) ** 2 + 1;
  const picture = COPIES * patches * (WIDTHS * vision.hiddenSize + 2 * vision.intermediateSize) * floatBytes;
  return rows * (cache + prompt + logits) + encoded * picture;
}

/** T5's decoder keeps its own tokens and the prompt's. */
const cachedLayers = (text: TextConfig): number => (text.family === 't5' ? 2 * text.decoderLayers : text.layers);
