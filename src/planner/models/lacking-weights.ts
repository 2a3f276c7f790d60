import { parentOf } from '../map/module-paths.js';
import type { ModuleTree } from './module-tree.js';

/**
 * What to know of modules whose `weight` a file lacks where it has tensors that the class does not know, such as GPTQ's `qweight`, and
 * no configuration says how they are quantised: they are loaded as floats that are in no file.
 * @param strange loaded names of the file's tensors that the class has not
 */
export function lackingWeights(
  strange: Iterable<string>,
  loaded: ReadonlyMap<string, unknown>,
  tree: ModuleTree,
): string | null {
  const lacking = new Map<string, string>();
  for (const name of strange) {
    const weight = `${parentOf(name)}.weight`;
    if (!lacking.has(weight) && !loaded.has(weight) && tree.depth(weight) === Infinity) lacking.set(weight, name);
  }
  const [first] = lacking;
  if (first === undefined) return null;
  const [weight, name] = first;
  const more = lacking.size === 1 ? '' : ` and ${lacking.size - 1} more`;
  return (
    `The files have ${name} and no ${weight}${more}, and config.json has no quantization_config: transformers would make ` +
    'up such weights, for which this plan has no bytes.'
  );
}
