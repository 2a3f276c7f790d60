import { Blip2Error } from '../errors.js';

/** Every BLIP-2 has it, under no module. */
const QUERY_TOKENS = 'query_tokens';

/**
 * @param names tensors of a checkpoint whose config.json is a BLIP-2's
 * @throws Blip2Error `TENSORS_PREFIXED` where all of them begin as the wrapper that they were saved in calls itself, such as
 *   `_orig_mod.` (torch.compile), `base_model.model.` (peft) or `module.`
 */
export function checkTensorNames(tensors: ReadonlyMap<string, unknown>): void {
  if (tensors.has(QUERY_TOKENS)) return;
  const names = [...tensors.keys()];
  const prefix = names.find((name) => name.endsWith(`.${QUERY_TOKENS}`))?.slice(0, -QUERY_TOKENS.length);
  if (prefix === undefined || !names.every((name) => name.startsWith(prefix))) return;
  throw new Blip2Error(
    'TENSORS_PREFIXED',
    `the names of all ${names.length} tensors begin with "${prefix}", which this model's do not: they were saved in a wrapper`,
    { hint: `Write them without it: blip2-shard rename <checkpoint> <out> --prefix ${prefix}=`, details: { prefix } },
  );
}
