/**
 * The two ways transformers itself reads a device map. Hooks (accelerate) take the longest dotted prefix. The loader
 * (`expand_device_map`, transformers 5) joins the keys, unescaped, into one regular expression, most dots and then
 * longest first, and takes what matches at the start of the name: "layers.1" also claims "layers.10", and "." any
 * character. A map is safe where both give every tensor the same device.
 */
import { deviceOf, type Device, type DeviceMap } from './device-map.js';

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
  const pattern = loaderPattern(map);
  const outer = outerKeys(map);
  const conflicts: Reading[] = [];
  for (const tensor of tensors) {
    const claim = pattern?.exec(tensor)?.[0];
    // A key that holds the tensor and no other key is the longest prefix as well.
    if (claim !== undefined && tensor[claim.length] === '.' && map.has(claim) && !outer.has(claim)) continue;
    const dotted = deviceOf(map, tensor);
    const loader = claim !== undefined ? map.get(claim) : pattern === null ? undefined : (map.get('') ?? 'cpu');
    if (dotted !== loader) conflicts.push({ tensor, dotted, loader });
  }
  return conflicts;
}

/** What the loader matches names with; null where the keys make no expression, and loading fails. */
function loaderPattern(map: DeviceMap): RegExp | null {
  const keys = [...map.keys()].sort((a, b) => dots(b) - dots(a) || b.length - a.length);
  try {
    return new RegExp(`^(?:${keys.join('|')})`);
  } catch {
    return null;
  }
}

/** Keys that other keys lie under. */
function outerKeys(map: DeviceMap): Set<string> {
  const outer = new Set<string>(['']);
  for (const key of map.keys()) {
    for (let dot = key.lastIndexOf('.'); dot > 0; dot = key.lastIndexOf('.', dot - 1)) outer.add(key.slice(0, dot));
  }
  return outer;
}

function dots(key: string): number {
  return key.split('.').length - 1;
}
