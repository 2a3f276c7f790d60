import { open } from 'node:fs/promises';
import type { StoredTensor } from '../../../loader/format/stored-tensor.js';
import { convertFloats } from '../../../loader/convert/convert-floats.js';
import type { ModelConfig } from '../../../model/blip2-config.js';
import { elementCount } from '../../../tensor/tensor-info.js';
import type { PictureSize } from '../../../model/picture-size.js';
import { pictureGrid, type PictureGrid } from '../../graph/picture-grid.js';
import type { Weights } from '../../graph/weights.js';

const POSITIONS = 'vision_model.embeddings.position_embedding';

/** The grid for pictures of one size, with position embeddings out of the checkpoint where they have to be interpolated. */
export function sessionPicture(
  { vision }: ModelConfig,
  weights: Weights,
  size: PictureSize | undefined,
): Promise<PictureGrid> {
  return pictureGrid(vision, size, () => readFloats(weights.get(POSITIONS)));
}

async function readFloats({ file, begin, end, dtype, shape }: StoredTensor): Promise<Float32Array> {
  const stored = new Uint8Array(end - begin);
  await using handle = await open(file);
  await handle.read(stored, 0, stored.length, begin);
  const values = new Float32Array(elementCount(shape));
  convertFloats(stored, dtype, new Uint8Array(values.buffer), 'F32');
  return values;
}
