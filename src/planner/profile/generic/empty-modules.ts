/** Modules of a known class that hold no weights, for which transformers' own maps have keys. */
import { pathsAbove } from '../../map/module-paths.js';
import type { LoadedModel } from '../../models/loaded-model.js';
import type { TensorGroup } from './generic-groups.js';

/** Their paths; a number is "*" where all members of a list hold none. */
export function emptyModulesOf({ tree, isWhole }: LoadedModel, groups: readonly TensorGroup[]): string[] {
  const holders = new Set(['']);
  for (const { name, tensors } of groups) {
    // A module that stays whole has no keys below its own.
    const hasNone = [name, ...pathsAbove([name])].some(isWhole);
    for (const path of pathsAbove(hasNone ? [name] : [name, ...tensors])) holders.add(path);
  }
  return [...holders].flatMap((path) => {
    const nodes = tree.along(path);
    const depth = path === '' ? 0 : path.split('.').length;
    const below = nodes[depth]?.empty ?? [];
    return path === '' ? below : below.map((name) => `${path}.${name}`);
  });
}
