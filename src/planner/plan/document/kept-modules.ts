/** What of streamed blocks stays on the GPU, in a device map. */
import { at } from '../../../checked-access.js';
import { formatSize } from '../../../size.js';
import { formOf, levelOf, type Kept, type ModelProfile, type ProfileBlock } from '../../profile/model-profile.js';
import { deviceOf, gpusOf, type DeviceMap } from '../../map/device-map.js';
import { deviceOfPlace, type Place, type Placed } from '../../price/place.js';
import { parentOf } from '../../map/module-paths.js';

/** Bytes of a block that stay on the GPU which the rest is streamed to. */
export const keptBytesOf = (block: ProfileBlock, place: Place): number =>
  place.execution === 'streamed' ? levelOf(formOf(block, place.scheme).kept, place.level).bytes : 0;

/** What a plan says of these, level by level; the last is of all that keep more. */
const NOTES: readonly ((layers: string, size: string) => string)[] = [
  (layers, size) => `Of ${layers} ${size} stay on the GPU.`,
  (_, size) =>
    `The norms of streamed layers (${size}) stay on the GPU: transformers copies module by module, and each copy takes its time.`,
  (layers, size) =>
    `Of ${layers} all (${size}) stays on the GPU but the widest modules, which are most of their bytes in few ` +
    'copies. They run where the rest of the layer runs.',
];

export function keptNotes(placed: readonly Placed[]): string[] {
  return NOTES.flatMap((note, kind) => {
    const kept = placed.map(({ block, place }) => {
      const isOfKind = place.execution === 'streamed' && Math.min(place.level, NOTES.length - 1) === kind;
      return isOfKind ? keptBytesOf(block, place) : 0;
    });
    const layers = kept.filter((bytes) => bytes > 0).length;
    const size = formatSize(kept.reduce((sum, bytes) => sum + bytes, 0));
    return layers === 0 ? [] : [note(`${layers} streamed layer${layers === 1 ? '' : 's'}`, size)];
  });
}

/** The keys of a block in a place, and their devices. */
export function keysOf(block: ProfileBlock, place: Place): DeviceMap {
  const kept = place.execution === 'streamed' ? levelOf(block.kept, place.level).tensors : [];
  if (place.execution !== 'streamed' || kept.length === 0) return new Map([[block.name, deviceOfPlace(place)]]);
  const stays = new Set(kept);
  return new Map(block.tensors.map((name) => [parentOf(name), stays.has(name) ? place.gpu : place.store] as const));
}

/**
 * How a map splits a block as plans for transformers do: on the host all but what one level keeps, which is on the only GPU. Beside
 * another GPU nothing would bring the block's input from there.
 */
export interface Split {
  readonly level: number;
  readonly gpu: number;
  readonly store: 'cpu' | 'disk';
}

export function splitUnder(map: DeviceMap, { tensors, kept }: ProfileBlock): Split | null {
  if (kept.every(({ tensors: stay }) => stay.length === 0) || gpusOf(map).size !== 1) return null;
  for (const [level, { tensors: stay }] of kept.entries()) {
    if (stay.length === 0) continue;
    const stays = new Set(stay);
    const [gpu, ...otherGpus] = new Set(stay.map((name) => deviceOf(map, name)));
    const [store, ...others] = new Set(tensors.filter((name) => !stays.has(name)).map((name) => deviceOf(map, name)));
    const isSplit = typeof gpu === 'number' && (store === 'cpu' || store === 'disk');
    if (isSplit && otherGpus.length + others.length === 0) return { level, gpu, store };
  }
  return null;
}

const NOTHING: Kept = { tensors: [], bytes: 0 };

/** The profile of blocks that keep what this map keeps, as the one level there is. */
export function keptUnder(profile: ModelProfile, map: DeviceMap): ModelProfile {
  return { ...profile, blocks: profile.blocks.map((block) => withLevel(block, splitUnder(map, block))) };
}

function withLevel(block: ProfileBlock, split: Split | null): ProfileBlock {
  const { kept, runs } = block;
  if (split === null)
    return { ...block, kept: [NOTHING], runs: runs.map((run) => ({ ...run, kept: [{ bytes: 0, leaves: 0 }] })) };
  const { level } = split;
  return { ...block, kept: [at(kept, level)], runs: runs.map((run) => ({ ...run, kept: [at(run.kept, level)] })) };
}
