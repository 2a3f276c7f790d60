import type { ModelConfig } from '../../../model/blip2-config.js';
import type { GpuFloat } from '../../graph/gpu/gpu-style.js';
import type { PictureGrid } from '../../graph/picture-grid.js';
import type { ChainType } from './program/program-wires.js';
import type { WireType } from './program/wire-type.js';

export interface ImageGeometry {
  readonly config: ModelConfig;
  /** Of the vision model's activations, as the host would see them. */
  readonly float: GpuFloat;
  readonly picture: PictureGrid;
}

/**
 * What leads from unit to unit of the vision model and the Q-Former.
 * @param words of each text, with padding; 0 without texts
 */
export function imageChains(
  { config, float, picture }: ImageGeometry,
  pictures: number,
  words: number,
): Map<string, ChainType> {
  const { vision, qformer, numQueryTokens } = config;
  const patches = picture.rows * picture.columns + 1;
  const query = (count: number): WireType => ({ dtype: 'F32', dims: [count, numQueryTokens, qformer.hiddenSize] });
  return new Map<string, ChainType>([
    ['patches', { dtype: float, dims: [pictures, patches, vision.hiddenSize] }],
    ['vision', { dtype: float, dims: [pictures, patches, vision.hiddenSize] }],
    // One set of queries does for all pictures until the first layer.
    ['query', (blocks) => query(blocks.some(({ kind }) => kind === 'qformer-layer') ? pictures : 1)],
    ['words', { dtype: 'F32', dims: [pictures, words, qformer.hiddenSize] }],
  ]);
}
