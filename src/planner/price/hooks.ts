/**
 * Where accelerate hooks a module's forward, which costs the host time in every call. It hooks each module that a map's key
 * names, and all below it, as soon as the map names several devices (`attach_align_device_hook_on_blocks`, accelerate 1.15).
 * Beside one GPU, what stays on it needs none: its input is there already. So the tensors of blocks that run for
 * every token are named themselves, which no module answers to.
 */
import { deviceOf, type DeviceMap } from '../map/device-map.js';
import type { ModelProfile, ProfileBlock } from '../profile/model-profile.js';
import { deviceOfPlace, runsOn, type Place } from './place.js';

export type Hooked = (block: ProfileBlock, place: Place) => boolean;

/** As the map of a placement amongst these places leaves it. */
export function hookedAmongst({ engine, family, blocks }: ModelProfile, places: readonly Place[]): Hooked {
  if (engine !== 'transformers' || new Set(places.map(deviceOfPlace)).size < 2) return () => false;
  // Of a model known by its names alone, buffers that no file holds are placed by a hook or not at all.
  if (family !== 'blip2' || new Set(places.map(runsOn)).size > 1) return () => true;
  const spared = new Set(blocks.filter(namedByTensors).map(({ name }) => name));
  return ({ name }, { execution }) => execution !== 'resident' || !spared.has(name);
}

/** As a map that is given leaves it. */
export function hookedUnder(map: DeviceMap): Hooked {
  if (new Set(map.values()).size < 2) return () => false;
  return ({ name, tensors }) => {
    const own = new Set(tensors);
    return (
      deviceOf(map, name) !== undefined || [...map.keys()].some((key) => key.startsWith(`${name}.`) && !own.has(key))
    );
  };
}

/** Whether the tensors of a block can stand for it in a map, and save anything there. */
function namedByTensors({ name, tensors, runs }: ProfileBlock): boolean {
  const path = `${name}.`;
  return (
    runs.some(({ phase }) => phase === 'token') && tensors.length > 0 && tensors.every((each) => each.startsWith(path))
  );
}
