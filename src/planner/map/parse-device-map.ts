/** Foreign device maps: JSON that somebody else wrote, checked value by value. */
import { Blip2Error } from '../../errors.js';
import type { Device, DeviceMap } from './device-map.js';

/** A map names modules, and no model has as many. */
const MAX_ENTRIES = 100_000;

/**
 * Reads a device map document: a JSON object of module path -> GPU number, "cpu" or "disk".
 *
 * `"cuda:1"` is read as 1 where the whole map writes GPUs that way; the two spellings in one map are two devices to
 * transformers, so that is refused.
 * @throws Blip2Error `MAP_NOT_OBJECT`, `MAP_KEY` (a key that is no dotted path), `MAP_DEVICE` (a value that names no
 * device), `MAP_MIXED_DEVICES` (0 and "cuda:0" side by side), `MAP_EMPTY`, `MAP_TOO_LARGE`.
 */
export function parseDeviceMap(json: unknown): DeviceMap {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Blip2Error('MAP_NOT_OBJECT', 'A device map is a JSON object of module path -> device.', {
      hint: 'For example {"language_model": 0, "vision_model": "cpu", "qformer": "cpu", "language_projection": "cpu", "query_tokens": 0}.',
    });
  }
  const entries = Object.entries(json);
  if (entries.length === 0) throw new Blip2Error('MAP_EMPTY', 'The device map has no entries.');
  if (entries.length > MAX_ENTRIES) {
    throw new Blip2Error(
      'MAP_TOO_LARGE',
      `The device map has ${entries.length} entries; at most ${MAX_ENTRIES} are read.`,
    );
  }
  const map = new Map<string, Device>();
  const spellings = new Set<'number' | 'cuda'>();
  for (const [key, value] of entries) {
    if (key !== '' && !/^[^.\s]+(\.[^.\s]+)*$/.test(key)) {
      throw new Blip2Error('MAP_KEY', `"${key}" in the device map is not a dotted module path.`, {
        hint: 'Keys have no leading, trailing or doubled dots and no blanks.',
        details: { key },
      });
    }
    map.set(key, deviceFrom(key, value, spellings));
  }
  if (spellings.size === 2) {
    throw new Blip2Error('MAP_MIXED_DEVICES', 'The device map writes GPUs both as numbers and as "cuda:N".', {
      hint: 'transformers takes 0 and "cuda:0" for two devices. Write numbers only.',
    });
  }
  return map;
}

function deviceFrom(key: string, value: unknown, spellings: Set<'number' | 'cuda'>): Device {
  if (value === 'cpu' || value === 'disk') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) {
    spellings.add('number');
    return value;
  }
  const cuda = typeof value === 'string' ? /^cuda(?::(0|[1-9]\d*))?$/.exec(value) : null;
  if (cuda !== null) {
    spellings.add('cuda');
    return Number(cuda[1] ?? 0);
  }
  throw new Blip2Error('MAP_DEVICE', `"${key}": ${JSON.stringify(value)} in the device map names no device.`, {
    hint: 'Devices are GPU numbers (0, 1, ...), "cpu" and "disk".',
    details: { key, value },
  });
}
