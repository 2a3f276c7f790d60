/**
 * The Hugging Face device map: module path or parameter name -> device. A tensor belongs to the longest dotted prefix
 * of its name that is a key; `""` covers everything.
 */
import { longestPrefix } from './longest-prefix.js';

/** A GPU by its number, or a storage tier. */
export type Device = number | 'cpu' | 'disk';

/** Keys in the order the model runs. */
export type DeviceMap = ReadonlyMap<string, Device>;

/** The GPUs that a map names. */
export function gpusOf(map: DeviceMap): Set<number> {
  return new Set([...map.values()].filter((device) => typeof device === 'number'));
}

/**
 * The device of a tensor or module path, or undefined where no key covers it.
 * @param map of a plan: `parseDeviceMap(plan.device_map)`
 */
export function deviceOf(map: DeviceMap, name: string): Device | undefined {
  return longestPrefix(map, name);
}
