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
  const loader = loaderReading(map);
  const conflicts: Reading[] = [];
  for (const tensor of tensors) {
    const reading = { tensor, dotted: deviceOf(map, tensor), loader: loader(tensor) };
    if (reading.dotted !== reading.loader) conflicts.push(reading);
  }
  return conflicts;
}

function loaderReading(map: DeviceMap): (tensor: string) => Device | undefined {
  const keys = [...map.keys()].sort((a, b) => dots(b) - dots(a) || b.length - a.length);
  let pattern: RegExp;
  try {
    pattern = new RegExp(`^(?:${keys.join('|')})`);
  } catch {
    return () => undefined;
  }
  return (tensor) => {
    const match = pattern.exec(tensor);
    return match === null ? (map.get('') ?? 'cpu') : map.get(match[0]);
  };
}

function dots(key: string): number {
  return key.split('.').length - 1;
}
