/** What a class that takes pictures holds at most while it runs, as one pass of its default configuration shows (`scripts/picture_peaks.py`). */
import type { TensorTable } from '../../tensor/tensor-info.js';
import type { PictureSize } from '../../model/picture-size.js';

/** How a class takes pictures. */
export interface PicturePeaks {
  /** What its processor makes of a picture where nothing says otherwise; null where it has no size of its own. */
  readonly size: PictureSize | null;
  /** Where much is in memory, the most first; none where it could not be tried. */
  readonly peaks: readonly PicturePeak[];
}

/** A module of one product, while which runs so much is there. */
export interface PicturePeak {
  readonly module: string;
  /** Elements of two bytes, for every pixel of the picture and channel of the product. */
  readonly elements: number;
}

/** `height width module elements module elements`, "-" for no size */
export function readPicturePeaks(row: string): PicturePeaks {
  const [height = '-', width = '-', ...words] = row.split(' ');
  const modules = words.filter((_, index) => index % 2 === 0);
  return {
    size: height === '-' ? null : { height: Number(height), width: Number(width) },
    peaks: modules.map((module, index) => ({ module, elements: Number(words[2 * index + 1]) })),
  };
}

/**
 * Weight of a product -> elements for every pixel, for those that a model has.
 * @param role whether the class that the peaks are of is the model, or a part of it at some path
 */
export function peaksIn(
  { peaks }: PicturePeaks,
  tensors: TensorTable,
  role: 'whole' | 'part' = 'whole',
): ReadonlyMap<string, number> {
  const nameOf = (own: string): string | undefined =>
    role === 'whole' ? own : [...tensors.keys()].find((name) => name.endsWith(`.${own}`));
  return new Map(
    peaks.flatMap(({ module, elements }): [string, number][] => {
      const weight = [module, module.replace(/\.\d+(?!.*\.\d)/, '.0')]
        .map((path) => nameOf(`${path}.weight`))
        .find((name) => name !== undefined && tensors.has(name));
      const shape = weight === undefined ? undefined : tensors.get(weight)?.shape;
      return weight === undefined || shape === undefined ? [] : [[weight, elements * channelsOf(shape)]];
    }),
  );
}

/** Those in and out of a product, or all of a scale. */
function channelsOf(shape: readonly number[]): number {
  const sides = Math.max(...shape.slice(0, 2));
  return sides > 1 ? sides : Math.max(...shape);
}
