/**
 * The two ways transformers itself reads a device map: hooks (accelerate) take the longest dotted prefix, the loader what its
 * regular expression matches (`loader-claims.ts`). A map is safe where both give every tensor the same device.
 */
import { deviceOf, type Device, type DeviceMap } from './device-map.js';
import { loaderClaims } from './loader-claims.js';
import { pathsAbove } from './module-paths.js';

/** One tensor that the two readers of device maps understand differently: accelerate's hooks and transformers' loader. */
export interface Reading {
  readonly tensor: string;
  /** By dotted prefix; undefined where nothing covers the tensor. */
  readonly dotted: Device | undefined;
  /** As the loader reads it; undefined where the loader would fail on a key that the map does not have. */
  readonly loader: Device | undefined;
}

/** Every tensor that the two readings send to different places. */
export function conflictingReadings(map: DeviceMap, tensors: Iterable<string>): Reading[] {
  if (map.size === 1 && map.has('')) return [];
  const claims = loaderClaims(map.keys());
  const outer = pathsAbove(map.keys());
  const conflicts: Reading[] = [];
  for (const tensor of tensors) {
    const claim = claims?.(tensor);
    // A key that holds the tensor and no other key is the longest prefix as well.
    if (claim !== undefined && tensor[claim.length] === '.' && map.has(claim) && claim !== '' && !outer.has(claim))
      continue;
    const dotted = deviceOf(map, tensor);
    const loader = claim !== undefined ? map.get(claim) : claims === null ? undefined : (map.get('') ?? 'cpu');
    if (dotted !== loader) conflicts.push({ tensor, dotted, loader });
  }
  return conflicts;
}
