/** What of streamed blocks stays on the GPU, in a device map. */
import { at } from '../../../checked-access.js';
import { formatSize } from '../../../size.js';
import { formOf, levelOf, type Kept, type ModelProfile, type ProfileBlock } from '../../profile/model-profile.js';
import { deviceOf, type Device, type DeviceMap } from '../../map/device-map.js';
import { deviceOfPlace, type Place } from '../../price/place.js';
import { parentOf } from '../../map/module-paths.js';

/** Bytes of a block that stay on the GPU which the rest is streamed to. */
export const keptBytesOf = (block: ProfileBlock, place: Place): number =>
  place.execution === 'streamed' ? levelOf(formOf(block, place.scheme).kept, place.level).bytes : 0;

/** What a plan says of these. */
export function keptNotes({ blocks }: ModelProfile, choice: readonly Place[]): string[] {
  const split = blocks.flatMap((block, i) => {
    const place = at(choice, i);
    const bytes = keptBytesOf(block, place);
    return place.execution === 'streamed' && bytes > 0 ? [{ level: place.level, bytes }] : [];
  });
  const said = (isOf: (level: number) => boolean, note: (layers: number, size: string) => string): string[] => {
    const own = split.filter(({ level }) => isOf(level));
    return own.length === 0 ? [] : [note(own.length, formatSize(own.reduce((sum, { bytes }) => sum + bytes, 0)))];
  };
  return [
    ...said(
      (level) => level === 0,
      (layers, size) => `Of ${layers} streamed layer${layers === 1 ? '' : 's'} ${size} stay on the GPU.`,
    ),
    ...said(
      (level) => level === 1,
      (_, size) =>
        `The norms of streamed layers (${size}) stay on the GPU: transformers copies module by module, and each copy takes its time.`,
    ),
    ...said(
      (level) => level > 1,
      (layers, size) =>
        `Of ${layers} streamed layer${layers === 1 ? '' : 's'} all (${size}) stays on the GPU but the widest modules, which are most of their bytes in few ` +
        'copies. They run where the rest of the layer runs.',
    ),
  ];
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

const gpusOf = (map: DeviceMap): Set<Device> => new Set([...map.values()].filter((home) => typeof home === 'number'));

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
