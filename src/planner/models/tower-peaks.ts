/** What towers of convolutions or stages hold in a class that takes a text beside its pictures: what the table knows of the tower's own class. */
import type { PictureSize } from '../../model/picture-size.js';
import type { TensorTable } from '../../tensor/tensor-info.js';
import { asConfig, numberOf, stringOf, type AnyConfig } from './model-config.js';
import { peaksIn } from './picture-peaks.js';
import type { ModelClass, ModelTable } from './read-model-table.js';

/** A tower in a class that takes more than its picture. */
export interface TowerPeaks {
  /** Of the pictures that it is made for; null where nothing says it. */
  readonly size: PictureSize | null;
  /** Pictures that it goes over at once, for each that is asked for: frames of a film. */
  readonly frames: number;
  /** Weight -> elements of two bytes that are there while its product runs, for every pixel of a picture. */
  readonly peaks: ReadonlyMap<string, number>;
}

const PARTS = ['vision_config', 'backbone_config', 'image_config'];
/** Of the picture itself, which is there while a tower runs. */
const CHANNELS = 3;

export function towerPeaks(
  table: ModelTable,
  { use, pictures }: ModelClass,
  config: AnyConfig,
  tensors: TensorTable,
): TowerPeaks[] {
  // A class that was tried with its picture alone has peaks of its own.
  if (use !== 'once' || (pictures !== null && pictures.peaks.length > 0)) return [];
  return PARTS.flatMap((field) => {
    const part = asConfig(config[field]);
    // Of one resolution, patches tell what a tower holds.
    if (numberOf(part, 'patch_size') !== null && !Array.isArray(part['depths'])) return [];
    const type = stringOf(part, 'model_type');
    const classes = type === null ? [] : table.classesOf(type).flatMap((name) => table.classOf(name)?.pictures ?? []);
    for (const own of classes) {
      const peaks = peaksIn(own, tensors, 'part');
      if (peaks.size === 0) continue;
      const withPicture = [...peaks].map(([weight, perPixel]): [string, number] => [weight, perPixel + CHANNELS]);
      const frames = numberOf(part, 'num_frames') ?? numberOf(config, 'num_frames') ?? 1;
      return [{ size: sizeOf(part, config) ?? pictures?.size ?? own.size, frames, peaks: new Map(withPicture) }];
    }
    return [];
  });
}

/** Height and width that a part or the whole says; null where neither does. */
function sizeOf(part: AnyConfig, config: AnyConfig): PictureSize | null {
  const own = numberOf(part, 'image_size', 'img_size') ?? numberOf(config, 'image_size', 'img_size', 'max_img_size');
  return own === null ? null : { height: own, width: own };
}
