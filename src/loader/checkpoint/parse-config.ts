import { Blip2Error, reasonOf } from '../../errors.js';
import { parseJson } from '../format/parse-json.js';

/**
 * A `config.json`, whatever is in it.
 * @param path as errors name it
 * @throws Blip2Error `CONFIG_INVALID` for what is no JSON, or no object
 */
export function parseConfig(text: string, path: string): object {
  let config: unknown;
  try {
    config = parseJson(text);
  } catch (cause) {
    throw noConfig(path, cause);
  }
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) return config;
  throw new Blip2Error('CONFIG_INVALID', `${path} describes no model: it is JSON, and no object.`, {
    hint: 'Download it again, or take it away to read the weights alone.',
  });
}

export function noConfig(path: string, cause: unknown): Blip2Error {
  return new Blip2Error('CONFIG_INVALID', `${path} cannot be read as JSON: ${reasonOf(cause)}`, { cause });
}
