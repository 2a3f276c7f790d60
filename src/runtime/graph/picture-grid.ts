import { Blip2Error } from '../../errors.js';
import type { VisionConfig } from '../../model/blip2-config.js';
import { patchGrid, type PictureSize } from '../../model/picture-size.js';
import { interpolatePositions } from './interpolate-positions.js';

/** How the vision model cuts pictures of one size, with the positions that its graph has as a constant. */
export interface PictureGrid {
  /** Patches from top to bottom, and from left to right. */
  readonly rows: number;
  readonly columns: number;
  /** Position embeddings `[rows * columns + 1, hiddenSize]` for this size; null where the checkpoint's own fit. */
  readonly positions: Float32Array | null;
}

/** The position embeddings are a constant of the graph, and a protobuf message holds less than 2 GiB. */
const TABLE_LIMIT_BYTES = 2 ** 31;

/**
 * @param readTable the checkpoint's position embeddings, read only where they have to be interpolated
 * @throws Blip2Error `IMAGE_SIZE` for pictures smaller than a patch, or of more patches than a graph can hold
 */
export async function pictureGrid(
  vision: VisionConfig,
  size: PictureSize | undefined,
  readTable: () => Promise<Float32Array>,
): Promise<PictureGrid> {
  const { imageSize, patchSize, hiddenSize } = vision;
  const { height, width } = size ?? { height: imageSize, width: imageSize };
  const { rows, columns, ownPositions } = patchGrid(vision, { height, width });
  const tableBytes = 4 * (rows * columns + 1) * hiddenSize;
  if (tableBytes >= TABLE_LIMIT_BYTES) {
    throw new Blip2Error(
      'IMAGE_SIZE',
      `pictures of ${width} x ${height} pixels need ${tableBytes} bytes of position embeddings; a graph holds less than ${TABLE_LIMIT_BYTES}`,
      { hint: `This model was made for ${imageSize} x ${imageSize} pixels.`, details: { height, width, tableBytes } },
    );
  }
  if (ownPositions) return { rows, columns, positions: null };
  const side = Math.floor(imageSize / patchSize);
  const positions = interpolatePositions(await readTable(), { side, width: hiddenSize }, { rows, columns });
  return { rows, columns, positions };
}
