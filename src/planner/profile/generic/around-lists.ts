/** What several GPUs may share of a class: a hook carries to a module what it is called with, and nothing brings together what its parent adds up. */
import type { AnyConfig } from '../../models/model-config.js';
import type { ModelClass } from '../../models/read-model-table.js';
import { TABLE, type TensorGroup } from './generic-groups.js';
import { joinedLayers } from './joined-layers.js';

/** A table, a norm and a head, each of which is called with what the one before made. */
const ONE_AFTER_ANOTHER = 3;
const IN_A_LIST = /(^|\.)\d+(\.|$)/;

/**
 * Classes that add up what members of their lists make, too: towers without a projection, pyramids, decoders of masks and boxes. As
 * `bench/planner/run_on_fake_card.py --two-cards` has them, and those of the same kinds that it cannot run.
 */
const ADD_UP_LAYERS = new RegExp(
  `^(${[
    '(Align|GroupViT)Model',
    'Sam(HQ|2|2Video|3|3Tracker|3TrackerVideo|3Video|3LiteText)?Model',
    'EdgeTam(Video)?Model',
    '(MM)?GroundingDino',
    '(Deformable|Dab|Lw|Rf|RT)Detr(V2)?(Model|For)',
    '(DFine|Deimv2|OmDetTurbo|Mask2Former|OneFormer|UperNet|PPDocLayoutV\\d)(Model|For)',
    'PPOCRV\\d[A-Za-z]*Det',
    'TimmWrapper',
    'UniSpeechForPreTraining',
    'NeoMME',
    'UnlimitedOcrVision',
  ].join('|')})`,
);

/**
 * What is in no list stays on the GPU that runs the model's own code, and so do layers that a configuration has it join: that adds up what its modules make (tokens and positions, towers),
 * and reads their tensors. Members of lists are called with all that they need.
 */
export function aroundLists(
  groups: readonly TensorGroup[],
  { name, use }: ModelClass,
  config: AnyConfig,
): TensorGroup[] {
  const isJoined = joinedLayers(name, config);
  const others = groups.filter((group) => !IN_A_LIST.test(group.name));
  const tables = others.filter((group) => TABLE.test(group.name));
  const isShort = others.length <= ONE_AFTER_ANOTHER && tables.length <= 1 && others.every(({ stays }) => !stays);
  const onMain = new Set(ADD_UP_LAYERS.test(name) ? groups : use === 'causal' && isShort ? [] : others);
  return groups.map((group) => {
    const joins = isJoined(group.name);
    return { ...group, joins, onMainGpu: joins || onMain.has(group) };
  });
}
