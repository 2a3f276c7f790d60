/** How many tokens of a sequence a block of a class that runs once goes over. */
import { numberOf, type AnyConfig } from '../../models/model-config.js';
import type { ModelClass } from '../../models/read-model-table.js';
import { isWithin } from '../../map/module-paths.js';
import type { Workload } from '../workload/workload.js';
import { partOfTower, patchesOfTower } from './tower-pictures.js';

/** Frames of sound, where a class that runs once takes one length of it, as Whisper's encoder does; null for others. */
export function framesOfOnePass({ use }: Pick<ModelClass, 'use'>, config: AnyConfig): number | null {
  return use === 'once' && numberOf(config, 'num_mel_bins') !== null ? numberOf(config, 'max_source_positions') : null;
}

/** The part of a configuration that a tower is made by which goes over a picture beside a text of its own; null for other blocks. */
export function towerPart(block: string, cls: ModelClass | null, config: AnyConfig): AnyConfig | null {
  if (cls === null || cls.use !== 'once' || cls.pictures !== null) return null;
  return hasPlacesInText(config) ? null : partOfTower(block, config);
}

const hasPlacesInText = (config: AnyConfig): boolean => Object.keys(config).some((field) => IN_TEXT.test(field));

const OF_PICTURES = /(^|\.)((vision|image)_(model|tower|encoder)|visual)\./;

/** Whether a block goes over the patches of pictures that have places in a text, as it does where its model answers. */
export function isTowerInText(block: string, cls: ModelClass | null, config: AnyConfig): boolean {
  return cls?.use === 'once' && cls.pictures === null && OF_PICTURES.test(`${block}.`) && hasPlacesInText(config);
}

/** Places of pictures in a text, which is then not beside them. */
const IN_TEXT = /^(image|img|vision|media)_token/;

export function tokensOfOnePass(
  block: string,
  cls: ModelClass | null,
  config: AnyConfig,
  { promptTokens, pictureSize }: Workload,
): number {
  if (cls === null || cls.use !== 'once' || cls.pictures !== null) return promptTokens;
  // Positions that are learned: of Whisper's decoder, which its encoder has more of.
  const most = numberOf(config, 'max_target_positions');
  if (most !== null && cls.keepsCaches && isWithin(block, cls.decoder)) return Math.min(promptTokens, most);
  if (config['visual_embed'] === true) return promptTokens + patchesOfLayout(config);
  const part = towerPart(block, cls, config);
  return (part === null ? null : patchesOfTower(part, pictureSize)) ?? promptTokens;
}

/** Of LayoutLMv3, which goes over a page's text and its picture at once; what of a side is less than a patch, it leaves out. */
function patchesOfLayout(config: AnyConfig): number {
  const [side, patch] = [numberOf(config, 'input_size'), numberOf(config, 'patch_size')];
  return side === null || patch === null ? 0 : Math.floor(side / patch) ** 2 + 1;
}
