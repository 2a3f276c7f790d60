import type { ModelPixels } from '../../image/pixel-rules.js';
import type { WordBatch } from './word-wires.js';

/** Pictures that are encoded together, and what is asked of each. */
export interface PictureBatch {
  /** Normalised, row-major. */
  readonly pixels: ModelPixels;
  /** `[pictures, channels, height, width]` */
  readonly shape: readonly number[];
  readonly words: WordBatch | undefined;
}

/** The batch in its order, up to `size` pictures at a time; nothing is copied. */
export function microBatches({ pixels, shape, words }: PictureBatch, size: number): PictureBatch[] {
  const [pictures = 0, ...sizes] = shape;
  const each = pixels.length / pictures;
  return Array.from({ length: Math.ceil(pictures / size) }, (_, index) => {
    const [from, to] = [index * size, Math.min((index + 1) * size, pictures)];
    return {
      pixels: pixels.subarray(from * each, to * each),
      shape: [to - from, ...sizes],
      words: words === undefined ? undefined : { ids: words.ids.slice(from, to), mask: words.mask.slice(from, to) },
    };
  });
}
