import { contentOf, fieldsOf, type Fields } from './class-rules.js';
import { NAMES } from './compose-tokenizer.js';

/** Files beside a tokenizer's two, parsed; undefined where there are none. */
export interface OlderFiles {
  /** `special_tokens_map.json` */
  readonly names?: unknown;
  /** `added_tokens.json`: ids by contents. */
  readonly added?: unknown;
}

/** Whether transformers 5.24 reads the older files: where `tokenizer_config.json` lists no added tokens, as none did before 4.34. */
export const readsOlderFiles = (config: unknown): boolean => fieldsOf(config)['added_tokens_decoder'] === undefined;

/**
 * @param file parsed `tokenizer.json`
 * @param config parsed `tokenizer_config.json`, which has older files read
 * @returns the same with what those say
 */
export function withOlderFiles(file: Fields, config: Fields, { names, added }: OlderFiles): Fields {
  const merged = { ...config, ...namesOf(config, fieldsOf(names)) };
  if (added === undefined) return merged;
  const special = specialIn(config, fieldsOf(names));
  const older = Object.entries(fieldsOf(added)).map(([content, id]): [string, Fields] => [
    String(id),
    { content, special: special.has(content), normalized: !special.has(content) },
  ]);
  const inFile = Array.isArray(file['added_tokens']) ? file['added_tokens'].map(fieldsOf) : [];
  const newer = inFile.map(({ id, ...token }): [string, Fields] => [String(id), token]);
  return { ...merged, added_tokens_decoder: Object.fromEntries([...older, ...newer]) };
}

/** They win over those of `tokenizer_config.json`, except tokens without a name: those count where that says nothing of such. */
function namesOf(config: Fields, { additional_special_tokens: unnamed, ...names }: Fields): Fields {
  const { additional_special_tokens: stated, extra_special_tokens: extra } = config;
  const isOpen = stated === undefined && (extra === undefined || fieldsOf(extra) === extra);
  return unnamed !== undefined && isOpen ? { ...names, additional_special_tokens: unnamed } : names;
}

/** Of `tokenizer_config.json` those that are written without their properties: so transformers compares. */
function specialIn(config: Fields, names: Fields): ReadonlySet<unknown> {
  const named = NAMES.map((name) => (name in names ? contentOf(names[name]) : config[name]));
  return new Set([...named, config['additional_special_tokens'], config['extra_special_tokens']].flat());
}
