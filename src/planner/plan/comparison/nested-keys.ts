import { deviceOf, gpusOf, type Device, type DeviceMap } from '../../map/device-map.js';
import { parentOf, pathsAbove } from '../../map/module-paths.js';

/**
 * Keys of modules whose hooks another key undoes. accelerate attaches the hooks of a key to all that is below it, the outermost first:
 * those of a key whose weights are copied for each call empty every weight below, and an inner key then has nothing to put on its
 * device; those of a key that stays would move what an inner key has on disk. The root's own key, in host memory beside a GPU, finds
 * no weights at all once there is another.
 * A key of a tensor has no hook of its own: its module's reads all that it holds from one place.
 * @param tensors names of all tensors that the map places
 */
export function clashingKeys(map: DeviceMap, tensors: Iterable<string>): string[] {
  const usesGpu = gpusOf(map).size > 0;
  if (map.get('') === 'cpu' && usesGpu) return [''];
  const clash = (outer: Device, inner: Device): boolean =>
    inner === 'disk' ? outer !== 'disk' : isCopied(outer, usesGpu) && !isCopied(inner, usesGpu);
  const leaves = new Set(tensors);
  const modules = pathsAbove(leaves);
  return [...map].flatMap(([key, device]) => {
    if (leaves.has(key)) return isApart(deviceOf(map, parentOf(key)), device, usesGpu) ? [key] : [];
    if (!modules.has(key)) return [];
    const outer = keysAbove(map, key).some((above) => clash(above, device));
    return outer ? [key] : [];
  });
}

/** Whether a module's hook does not find a tensor of its own: what is on the disk is read from there, all else was loaded. */
function isApart(module: Device | undefined, tensor: Device, usesGpu: boolean): boolean {
  if (module === undefined || (module === 'disk') === (tensor === 'disk')) return false;
  return tensor === 'disk' || !(tensor === 'cpu' && usesGpu);
}

/**
 * Keys of tensors whose module has none, where something would have to bring them: accelerate hooks the modules of keys. What a module
 * holds is there without a hook on the GPU, and in memory where no GPU runs; the root's hook is there whatever the keys.
 */
export function unhookedKeys(map: DeviceMap, tensors: Iterable<string>): string[] {
  const usesGpu = gpusOf(map).size > 0;
  const leaves = new Set(tensors);
  return [...map].flatMap(([key, device]) => {
    const isLone = leaves.has(key) && key.includes('.') && deviceOf(map, parentOf(key)) === undefined;
    return isLone && isCopied(device, usesGpu) ? [key] : [];
  });
}

/** Whether something has to bring weights from there for each call. */
export const isCopied = (device: Device | undefined, usesGpu: boolean): boolean =>
  device === 'disk' || (device === 'cpu' && usesGpu);

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
