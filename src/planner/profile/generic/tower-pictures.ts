/** Pictures that a tower goes over, of a model that goes over text, too. */
import { elementCount, type TensorTable } from '../../../tensor/tensor-info.js';
import type { PictureSize } from '../../../model/picture-size.js';
import { asConfig, numberOf, type AnyConfig } from '../../models/model-config.js';
import { patchesOf, sizeIn } from './usual-picture.js';

const TOWER = /(?:^|\.)((?:\w+_)?(?:vision|visual|image))_(?:model|tower|encoder)\./;

/** The part of a configuration that a tower is made by, by the name of one of its blocks; null for other blocks. */
export function partOfTower(block: string, config: AnyConfig): AnyConfig | null {
  const tower = TOWER.exec(`${block}.`)?.[1];
  if (tower === undefined) return null;
  const parts = [`${tower}_config`, 'vision_config'].map((field) => asConfig(config[field]));
  return parts.find((part) => Object.keys(part).length > 0) ?? null;
}

/** Patches of a tower's picture; null where its part of the configuration does not say how many. */
export function patchesOfTower(part: AnyConfig, asked: PictureSize | null): number | null {
  const size = asked ?? sizeIn(part);
  return size === null ? null : patchesOf(part, size);
}

const PLACES = /(position_embeddings?|pos_embed|positional_embedding)(\.weight|\.embedding)?$/;

/** Rows of a tower that learned a place for every patch of a picture, and so runs on all of them, whatever the prompt has of it; 0 for others. */
export function rowsOfPicture(part: AnyConfig, tensors: TensorTable, asked: PictureSize | null): number {
  const own = patchesOfTower(part, null);
  if (own === null) return 0;
  const hasPlaces = [...tensors].some(([name, { shape }]) => {
    const places = elementCount(shape) / (shape.at(-1) ?? 1);
    return PLACES.test(name) && TOWER.test(name) && (places === own || places === own - 1);
  });
  return hasPlaces ? (patchesOfTower(part, asked) ?? own) * (numberOf(part, 'max_num_tiles') ?? 1) : 0;
}
