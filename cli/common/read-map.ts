import { JsonScanner } from '../../src/loader/format/json-scanner.js';
import { Blip2Error } from '../../src/planner/index.js';
import { readJson } from './read-json.js';

/**
 * A plan or a device map from a file, whose text is looked at as well: `JSON.parse` takes `1.0` for 1, where Python gives torch a
 * float, which is no device to it, and keeps the last of two equal keys without a word.
 * @param file `-` for stdin
 * @throws Blip2Error `MAP_DEVICE` for a GPU that is not written as an integer, `MAP_KEY` for a key that stands twice, and as `readJson`.
 */
export function readMap(file: string): Promise<unknown> {
  return readJson(file, (text, json) => {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return;
    const scanner = new JsonScanner(text);
    if (!('schema' in json)) return checkMap(scanner);
    scanner.object('plan', (key) => {
      if (key === 'device_map' && scanner.kind() === 'object') checkMap(scanner);
      else scanner.skip();
    });
  });
}

function checkMap(scanner: JsonScanner): void {
  const keys = new Set<string>();
  scanner.object('device map', (key) => {
    if (keys.has(key)) {
      throw new Blip2Error('MAP_KEY', `"${key}" stands twice in the device map.`, {
        hint: 'Python keeps the last one. Keep the one that you mean.',
        details: { key },
      });
    }
    keys.add(key);
    if (scanner.kind() !== 'number') return scanner.skip();
    const number = scanner.number(key);
    if (/^-?\d+$/.test(number)) return;
    throw new Blip2Error('MAP_DEVICE', `"${key}": ${number} in the device map names no device.`, {
      hint: 'transformers refuses floats: GPU numbers are integers, 0, 1, ...',
      details: { key, value: number },
    });
  });
}
