import { Blip2Error } from '../errors.js';
import type { VisionConfig } from './blip2-config.js';

/** Pixels that every picture has. */
export interface PictureSize {
  readonly height: number;
  readonly width: number;
}

/** How the vision model cuts pictures of one size. */
export interface PatchGrid {
  /** Patches from top to bottom, and from left to right. */
  readonly rows: number;
  readonly columns: number;
  /** Whether the checkpoint's position embeddings fit as they are. */
  readonly ownPositions: boolean;
}

/**
 * @param size null for the one that the model was made for
 * @throws Blip2Error `IMAGE_SIZE` for pictures smaller than a patch
 */
export function patchGrid({ imageSize, patchSize }: VisionConfig, size: PictureSize | null): PatchGrid {
  const { height, width } = size ?? { height: imageSize, width: imageSize };
  const patches = (pixels: number) => Math.floor(pixels / patchSize);
  const [rows, columns, own] = [patches(height), patches(width), patches(imageSize)];
  if (rows < 1 || columns < 1) {
    throw new Blip2Error(
      'IMAGE_SIZE',
      `pictures of ${width} x ${height} pixels hold no patch of ${patchSize} x ${patchSize}`,
    );
  }
  // transformers interpolates whenever a picture is not square, even to the grid that the table has.
  return { rows, columns, ownPositions: rows * columns === own * own && height === width };
}
