/** What layers made that a model holds until it returns, whether anyone asked for it or not (transformers 5.24). */
import { asConfig, numberOf, type AnyConfig } from '../../models/model-config.js';
import type { ModelClass } from '../../models/read-model-table.js';
import type { Workload } from '../workload/workload.js';
import { widthOf } from './score-elements.js';
import { patchesOfTower } from './tower-pictures.js';

/** Two towers whose layers meet, as BridgeTower's: rows of every layer are in lists, and so are scores of those that meet. */
const KEEPS_LAYERS = /^BridgeTower(Model|For)/;
const OF_ONE_TOWER = /(^|\.)(resblocks|encoder\.layer)\.\d+$/;
const OF_PICTURE = /(^|\.)(resblocks|cross_modal_image_layers)\./;
/** The attention of a layer that meets the other tower to its own rows. */
const MEETING = /(^|\.)cross_modal_(text|image)_layers\.\d+\.attention\.self$/;

/** Elements that a block leaves behind, of one sequence. */
export function keptResults(
  block: string,
  cls: ModelClass | null,
  config: AnyConfig,
  { promptTokens, pictureSize }: Workload,
): number {
  const meets = MEETING.test(block);
  if (cls === null || !KEEPS_LAYERS.test(cls.name) || !(meets || OF_ONE_TOWER.test(block))) return 0;
  const patches = patchesOfTower(asConfig(config['vision_config']), pictureSize) ?? promptTokens;
  const rows = OF_PICTURE.test(block) ? patches : promptTokens;
  const scores = meets ? (numberOf(config, 'num_attention_heads') ?? 0) * rows : 0;
  return rows * ((widthOf(config) ?? 0) + scores);
}
