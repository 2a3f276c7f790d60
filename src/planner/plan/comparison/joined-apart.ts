import { deviceOf, gpusOf, type DeviceMap } from '../../map/device-map.js';
import { parentOf } from '../../map/module-paths.js';
import type { ModelProfile } from '../../profile/model-profile.js';

/** Layers whose outputs the model joins, of lists that a map spreads over GPUs. What is on none runs on the lowest. */
export function joinedApart(map: DeviceMap, { blocks }: ModelProfile): string[] {
  const main = Math.min(...gpusOf(map));
  const lists = new Map<string, Map<string, number>>();
  for (const { name, tensors, joins } of blocks) {
    const device = deviceOf(map, tensors[0] ?? name);
    if (joins !== true || device === undefined || !Number.isFinite(main)) continue;
    const list = lists.get(parentOf(name)) ?? new Map<string, number>();
    lists.set(parentOf(name), list.set(name, typeof device === 'number' ? device : main));
  }
  return [...lists.values()].flatMap((homes) => (new Set(homes.values()).size > 1 ? [...homes.keys()] : []));
}
