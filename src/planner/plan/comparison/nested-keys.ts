import { gpusOf, type Device, type DeviceMap } from '../../map/device-map.js';
import { parentOf, pathsAbove } from '../../map/module-paths.js';

/**
 * Keys of modules whose hooks another key undoes. accelerate attaches the hooks of a key to all that is below it, the outermost first:
 * those of a key whose weights are copied for each call empty every weight below, and an inner key then has nothing to put on its
 * device; those of a key that stays would move what an inner key has on disk. The root's own key, in host memory beside a GPU, finds
 * no weights at all once there is another.
 * @param tensors names of all tensors that the map places
 */
export function clashingKeys(map: DeviceMap, tensors: Iterable<string>): string[] {
  const usesGpu = gpusOf(map).size > 0;
  if (map.get('') === 'cpu' && usesGpu) return [''];
  const isCopied = (device: Device): boolean => device === 'disk' || (device === 'cpu' && usesGpu);
  const clash = (outer: Device, inner: Device): boolean => (isCopied(outer) ? !isCopied(inner) : inner === 'disk');
  const modules = pathsAbove(tensors);
  return [...map].flatMap(([key, device]) => {
    if (!modules.has(key)) return [];
    const outer = keysAbove(map, key).some((above) => clash(above, device));
    return outer ? [key] : [];
  });
}

/** Devices of the keys that a key lies in. */
function keysAbove(map: DeviceMap, key: string): Device[] {
  const found: Device[] = [];
  for (let path = key; path !== '';) {
    path = parentOf(path);
    const device = map.get(path);
    if (device !== undefined) found.push(device);
  }
  return found;
}
