/** Pictures of the size that a model is made for, and the patches that it makes of one. */
import type { PictureSize } from '../../../model/picture-size.js';
import { asConfig, numberOf, type AnyConfig } from '../../models/model-config.js';
import type { ModelClass } from '../../models/read-model-table.js';
import { usualWorkload } from '../workload/usual-workload.js';

/** What a class that takes nothing but a picture usually runs over. */
export interface UsualPicture {
  readonly size: PictureSize;
  /** Patches of its first stage, or as many tokens as others that run once go over. */
  readonly tokens: number;
}

export const USUAL_SIZE: PictureSize = { height: 224, width: 224 };
/** Of pyramids whose config.json does not say it: ResNet's convolution and pooling halve both sides. */
const PYRAMID_PATCH = 4;
const PARTS = ['vision_config', 'encoder'];

/** null for a class that takes something else. @param asked the size that pictures are brought to, where somebody says so */
export function usualPicture(
  { pictures }: Pick<ModelClass, 'pictures'>,
  config: AnyConfig,
  asked: PictureSize | null,
): UsualPicture | null {
  if (pictures === null) return null;
  const parts = [config, ...PARTS.map((part) => asConfig(config[part]))];
  const own = parts.map((part) => sizeIn(part)).find((size) => size !== null);
  const size = asked ?? own ?? largerOf(sizeIn(asConfig(config['backbone_config'])), pictures.size);
  const patches = patchesOf(config, size);
  const others = usualWorkload('once').promptTokens;
  // Of a class that was never tried nobody knows what else it holds.
  const tokens = patches === null ? others : pictures.peaks.length === 0 ? Math.max(others, patches) : patches;
  return { size, tokens };
}

/** What a backbone was trained on is often less than what its whole is given, which then may have other sides. */
function largerOf(backbone: PictureSize | null, whole: PictureSize | null): PictureSize {
  const area = (size: PictureSize | null): number => (size === null ? 0 : size.height * size.width);
  return (area(backbone) > area(whole) ? backbone : whole) ?? USUAL_SIZE;
}

export function sizeIn(part: AnyConfig): PictureSize | null {
  const said = part['image_size'] ?? part['img_size'];
  const sides: unknown[] = Array.isArray(said) ? said : [said, said];
  const [height, width] = sides;
  if (typeof height !== 'number' || typeof width !== 'number' || height <= 0 || width <= 0) return null;
  return { height, width };
}

/** With one for the whole; null where config.json tells nothing of patches. */
export function patchesOf(config: AnyConfig, { height, width }: PictureSize): number | null {
  const part = [config, asConfig(config['vision_config'])].find((each) => patchOf(each) !== null);
  const patch = part === undefined ? null : patchOf(part);
  if (part === undefined || patch === null) return null;
  const frames = (numberOf(part, 'num_frames') ?? 1) / (firstOf(part['tubelet_size']) ?? 1);
  const detected = numberOf(part, 'num_detection_tokens') ?? 0;
  const perFrame = Math.ceil(height / patch) * Math.ceil(width / patch);
  return Math.max(1, Math.ceil(perFrame * Math.max(1, frames))) + (Array.isArray(part['depths']) ? 0 : 1 + detected);
}

/** Pixels of a side of what becomes one patch. */
function patchOf(part: AnyConfig): number | null {
  // MobileViT's are patches of features, not of the picture.
  if (numberOf(part, 'output_stride') !== null) return null;
  // Of several stages, the first; other strides are those of convolutions in a stage.
  const strides = part['patch_sizes'] === undefined ? null : firstOf(part['strides']);
  const tube = Array.isArray(part['tubelet_size']) ? firstOf(part['tubelet_size'].slice(1)) : null;
  const said = ['patch_stride', 'patch_size', 'patch_sizes'].map((field) => firstOf(part[field]));
  const side = [strides, ...said, tube].find((each) => each !== null);
  return side ?? (Array.isArray(part['depths']) ? PYRAMID_PATCH : null);
}

function firstOf(said: unknown): number | null {
  const side: unknown = Array.isArray(said) ? said[0] : said;
  return typeof side === 'number' && side > 0 ? side : null;
}
