import type { LocalPicture } from './picture-source.js';
import type { PixelPool } from './pixel-pool.js';
import type { ModelPixels } from './pixel-rules.js';

/**
 * Pictures as one array, `[pictures, 3, height, width]`.
 * @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_UNREADABLE` or `IMAGE_SIZE`; the signal's reason when aborted
 */
export async function batchPixels(
  pictures: readonly LocalPicture[],
  pool: PixelPool,
  signal?: AbortSignal,
): Promise<{ data: ModelPixels; shape: number[] }> {
  const { height, width } = pool.rules.size;
  const size = 3 * height * width;
  const Numbers = pool.rules.float === 'F32' ? Float32Array : Uint16Array;
  const data = new Numbers(pictures.length * size);
  await Promise.all(pictures.map(async (picture, index) => data.set(await pool.pixels(picture, signal), index * size)));
  return { data, shape: [pictures.length, 3, height, width] };
}
