/** Keys of a map that stand for nothing of the model. */
import { at } from '../../../checked-access.js';
import type { DeviceMap } from '../../map/device-map.js';
import { parentOf, pathsAbove, sample } from '../../map/module-paths.js';
import type { LoadedModel } from '../../models/loaded-model.js';
import type { ModelProfile } from '../../profile/model-profile.js';

/** Those of no module and no tensor, for all that is known of the class. */
export function unknownKeys(map: DeviceMap, profile: ModelProfile, model: LoadedModel | null): string[] {
  return keysOutside(map, namesIn(profile), model)
    .filter(([, may]) => !may)
    .map(([key]) => key);
}

/** What is to be said of keys that move nothing, where they may be those of modules without weights as well as slips. */
export function strayKeys(map: DeviceMap, profile: ModelProfile, model: LoadedModel | null): string[] {
  const { fileNames } = profile;
  const names = fileNames === undefined ? namesIn(profile) : [...fileNames.values()].flat();
  const isOpen = profile.model === null || fileNames !== undefined;
  const keys = keysOutside(map, names, model).flatMap(([key, may]) => (isOpen || may ? [key] : []));
  if (keys.length === 0) return [];
  return [`No tensor's name has ${sample(keys)} in it: modules without weights, or slips, which move nothing.`];
}

/**
 * What the loaded class calls a module that others named otherwise: transformers has taken parts that stand for whole models out of paths, and put the
 * base model's prefix before them (4.57's `vision_tower.vision_model.encoder` of LLaVA is `vision_tower.encoder` since 5.6), and maps outlive that.
 * @returns the first of the keys that one name is like, and that name
 */
export function renamedKey(keys: readonly string[], profile: ModelProfile): readonly [string, string] | undefined {
  const known = pathsOf(namesIn(profile));
  for (const key of keys) {
    const parts = key.split('.');
    // Without other parts, which may be slips, a path may be another module's: `layer.0.output` is not `layer.0.atention.output`.
    const shorter = parts
      .slice(0, -1)
      .flatMap((part, i) => (i === 0 || part.endsWith('model') ? [parts.toSpliced(i, 1).join('.')] : []));
    const names = [key, ...shorter].flatMap((name) => [name, `model.${name}`]).filter((name) => isAmong(known, name));
    const [name, ...others] = new Set(names);
    if (name !== undefined && others.length === 0) return [key, name];
  }
  return undefined;
}

const namesIn = ({
  blocks,
  aliases,
  besideBlocks = new Map(),
  lackingKeys = new Map(),
  emptyModules,
}: ModelProfile): string[] => [
  ...blocks.flatMap(({ name, tensors }) => [name, ...tensors]),
  ...aliases.keys(),
  ...besideBlocks.keys(),
  ...lackingKeys.keys(),
  ...emptyModules,
];

/** Keys, and whether a module without weights may have that name: in those that stay whole the class's are not known. */
function keysOutside(
  map: DeviceMap,
  names: readonly string[],
  model: LoadedModel | null,
): [key: string, may: boolean][] {
  const known = pathsOf(names);
  return [...map.keys()].flatMap((key): [string, boolean][] => {
    if (isAmong(known, key)) return [];
    if (model === null || /\d$/.test(key) || !known.has(parentOf(key))) return [[key, false]];
    return model.tree.has(key) ? [] : [[key, [...pathsAbove([key])].some(model.isWhole)]];
  });
}

const pathsOf = (names: readonly string[]): ReadonlySet<string> => new Set(['', ...names, ...pathsAbove(names)]);

const isAmong = (known: ReadonlySet<string>, key: string): boolean =>
  known.has(key) || withoutNumbers(key).some((path) => known.has(path));

/** A path with its last number as "*", with its last two, and so on. */
function withoutNumbers(path: string): string[] {
  const parts = path.split('.');
  const found: string[] = [];
  for (let i = parts.length - 1; i >= 0; i--) {
    if (!/^\d+$/.test(at(parts, i))) continue;
    parts[i] = '*';
    found.push(parts.join('.'));
  }
  return found;
}
