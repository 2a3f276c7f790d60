/**
 * Whether a device map can be executed: read the same way by every part of transformers, complete, and without the
 * placements that fail at load or in the first forward pass.
 */
import { at } from '../../../checked-access.js';
import { readBelow } from '../../profile/generic/loaded-groups.js';
import type { ModelProfile, ProfileBlock } from '../../profile/model-profile.js';
import { whyNotThere } from '../request/why-not-there.js';
import { deviceOf, gpusOf, type Device, type DeviceMap } from '../../map/device-map.js';
import { emitDeviceMap } from '../../map/emit-device-map.js';
import { keysOf, splitUnder } from '../document/kept-modules.js';
import { joinedApart } from './joined-apart.js';
import { clashingKeys, isCopied, unhookedKeys } from './nested-keys.js';
import { tiedModules, tiesApart, withTiedModules } from './ties-apart.js';
import { renamedKey, unknownKeys } from './unknown-keys.js';
import { conflictingReadings, type Reading } from '../../map/prefix-readings.js';
import type { LoadedModel } from '../../models/loaded-model.js';
import { sample } from '../../map/module-paths.js';

/** What is wrong with a device map; `names` are tensors, modules or keys of the map, `message` says them in words. */
export type MapIssue =
  | {
      readonly code: 'MAP_PREFIX_CONFLICT';
      readonly message: string;
      /** Tensors with both readings, by hooks (dotted) and by the loader. */
      readonly tensors: readonly Reading[];
      /** A map that means the dotted reading to everyone. */
      readonly rewrite: DeviceMap;
    }
  | {
      readonly code: 'MAP_KEYS_NESTED';
      readonly message: string;
      /** Keys that clash with one that they lie in. */
      readonly names: readonly string[];
      /** The same placement without keys inside one another. */
      readonly rewrite: DeviceMap;
    }
  | {
      readonly code:
        | 'MAP_UNCOVERED'
        | 'MAP_QUERY_TOKENS_ON_DISK'
        | 'MAP_DTYPE_ON_DISK'
        | 'MAP_NOT_ON_GPU'
        | 'MAP_TIED_APART'
        | 'MAP_JOINED_APART'
        | 'MAP_BLOCK_CUT'
        | 'MAP_UNKNOWN_KEY';
      readonly message: string;
      readonly names: readonly string[];
    };

/**
 * Issues in the order a reader should mend them; none means the map is sound.
 * @param model the class that loads it, where that is known
 */
export function validateDeviceMap(
  given: DeviceMap,
  profile: ModelProfile,
  model: LoadedModel | null = null,
): MapIssue[] {
  const { blocks } = profile;
  const map = withTiedModules(given, profile);
  const isUncovered = (name: string) => deviceOf(map, name) === undefined;
  const uncovered = [
    ...blocks.flatMap(({ tensors }) => tensors.filter(isUncovered)),
    ...blocks.flatMap(({ name, tensors }) => (tensors.length === 0 && isUncovered(name) ? [name] : [])),
  ];
  const usesGpu = gpusOf(map).size > 0;
  const barred = (isBarred: (block: ProfileBlock, device: Device | undefined) => boolean) =>
    blocks.filter(
      (block) => block.kind !== 'query-tokens' && block.tensors.some((name) => isBarred(block, deviceOf(map, name))),
    );
  const onDisk = barred(({ stores }, device) => stores.length > 0 && !stores.includes('disk') && device === 'disk');
  const offGpu = barred(
    (block, device) =>
      block.stores.length === 0 &&
      (usesGpu ? typeof device === 'string' && !isBroughtByRoot(block, device, profile) : device === 'disk'),
  );
  const homesOf = ({ tensors, shares = [] }: ProfileBlock) =>
    new Set(tensors.length === 0 ? [] : [...tensors, ...shares].map((name) => deviceOf(map, name)));
  const cut = blocks.filter((block) => homesOf(block).size > 1 && splitUnder(map, block) === null);
  const rootOnDisk = blocks.some(({ tensors }) => tensors.includes(ROOT)) && deviceOf(map, ROOT) === 'disk';
  return [
    ...issue(
      'MAP_UNCOVERED',
      uncovered,
      (all) => `The map gives no device to ${all}. transformers refuses such a map.`,
    ),
    ...prefixConflict(map, profile),
    ...keysNested(map, profile),
    ...issue(
      'MAP_QUERY_TOKENS_ON_DISK',
      rootOnDisk ? [ROOT] : [],
      (root) => `${root} is on disk: parameters of the root module cannot be loaded from there.`,
    ),
    ...issue('MAP_DTYPE_ON_DISK', namesOf(onDisk), (all) => `${all} on disk: ${whyNotThere(at(onDisk, 0), profile)}.`),
    ...issue(
      'MAP_NOT_ON_GPU',
      namesOf(offGpu),
      (all) => `${all} ${usesGpu ? 'not on a GPU' : 'on disk'}: ${whyNotThere(at(offGpu, 0), profile)}.`,
    ),
    ...unhooked(given, profile, model, namesOf(offGpu)),
    ...tiedApart(map, profile),
    ...issue(
      'MAP_JOINED_APART',
      joinedApart(map, profile),
      (all) =>
        `${all} are on different GPUs: the model joins what these layers make, and transformers fails with tensors on two devices.`,
    ),
    ...issue('MAP_BLOCK_CUT', namesOf(cut), (all, are) => `${all} ${are} split between devices; a block runs on one.`),
    ...unknownKey(unknownKeys(map, profile, model), profile, uncovered.length > 0),
  ];
}

/** @param names loaded names of tensors that are several in the file, which the map has in several places */
export function splitMerges(names: readonly string[]): MapIssue[] {
  return issue(
    'MAP_BLOCK_CUT',
    names,
    (all, are) => `${all} ${are} made of several tensors of the file, which the map places apart.`,
  );
}

/** A parameter of the root module. */
const ROOT = 'query_tokens';

/** An issue of some names, if there are any. */
function issue(
  code: Exclude<MapIssue['code'], 'MAP_PREFIX_CONFLICT' | 'MAP_KEYS_NESTED'>,
  names: readonly string[],
  says: (all: string, are: 'is' | 'are') => string,
): MapIssue[] {
  return names.length === 0 ? [] : [{ code, message: says(sample(names), names.length === 1 ? 'is' : 'are'), names }];
}

const namesOf = (blocks: readonly ProfileBlock[]): string[] => blocks.map(({ name }) => name);

/** Parameters and buffers of the root module itself: accelerate moves those in memory to the main GPU when it attaches the root's hook. */
export function isBroughtByRoot(
  { tensors }: ProfileBlock,
  device: Device | undefined,
  { family }: ModelProfile,
): boolean {
  return family === 'generic' && device === 'cpu' && tensors.length > 0 && tensors.every((name) => !name.includes('.'));
}

function prefixConflict(map: DeviceMap, profile: ModelProfile): MapIssue[] {
  const tensors = profile.blocks.flatMap((block) => block.tensors);
  const conflicts = conflictingReadings(map, tensors).filter(({ dotted }) => dotted !== undefined);
  const [first] = conflicts;
  if (first === undefined) return [];
  return [
    {
      code: 'MAP_PREFIX_CONFLICT',
      message:
        `${conflicts.length} tensors are read two ways: ${first.tensor} is on ${spelled(first.dotted)} by its dotted ` +
        `prefix and on ${spelled(first.loader)} to the loader of transformers, which takes a key for everything that begins like it.`,
      tensors: conflicts,
      rewrite: dottedRewrite(map, profile),
    },
  ];
}

function keysNested(map: DeviceMap, profile: ModelProfile): MapIssue[] {
  if (profile.engine !== 'transformers') return [];
  const names = clashingKeys(
    map,
    profile.blocks.flatMap(({ tensors }) => tensors),
  );
  if (names.length === 0) return [];
  const [first] = names;
  const what =
    first === ''
      ? 'The key "" on the CPU holds others'
      : `${sample(names)} ${names.length === 1 ? 'lies' : 'lie'} in another key`;
  return [
    {
      code: 'MAP_KEYS_NESTED',
      message: `${what}: accelerate hooks all below a key by that key first, so that loading or the first call fails.`,
      names,
      rewrite: dottedRewrite(map, profile),
    },
  ];
}

/** @param known names of blocks that are said to be where nothing brings them from */
function unhooked(
  map: DeviceMap,
  profile: ModelProfile,
  model: LoadedModel | null,
  known: readonly string[],
): MapIssue[] {
  if (profile.engine !== 'transformers') return [];
  const usesGpu = gpusOf(map).size > 0;
  const brought = model === null ? [] : readBelow(model);
  const tensors = profile.blocks.flatMap((block) =>
    known.includes(block.name) ? [] : block.tensors.filter((name) => !brought.includes(name)),
  );
  // A tied weight is there as well where another module has it there.
  const placed = withTiedModules(map, profile);
  const asleep = tiedModules(profile).filter((names) =>
    names.every((name) => isCopied(deviceOf(placed, name), usesGpu)),
  );
  const where = usesGpu ? 'not on a GPU' : 'on disk';
  return issue(
    'MAP_NOT_ON_GPU',
    unhookedKeys(map, [...tensors, ...asleep.flat().map((name) => `${name}.weight`)]),
    (all) =>
      `${all} ${where}: accelerate hooks modules, and no key has one around a tensor here. Name the module instead.`,
  );
}

function tiedApart(map: DeviceMap, profile: ModelProfile): MapIssue[] {
  return tiesApart(map, profile).flatMap(({ names, devices, gpu }): MapIssue[] => {
    if (gpu !== null) return [];
    return [
      {
        code: 'MAP_TIED_APART',
        message: `${names.join(' and ')} are tied and on ${devices.map(spelled).join(' and ')}: transformers fails to load or to run them.`,
        names,
      },
    ];
  });
}

/** Of a class that is not known, modules without weights are not either: a key that moves nothing is a fault where something is missing. */
function unknownKey(keys: readonly string[], profile: ModelProfile, isIncomplete: boolean): MapIssue[] {
  if (profile.model !== null)
    return issue('MAP_UNKNOWN_KEY', keys, (all, are) => {
      const renamed = renamedKey(keys, profile)?.join(' is ');
      const hint = renamed && ` ${renamed} here: other versions of transformers name modules otherwise.`;
      return `${all} ${are} in no module of this model.${hint ?? ''}`;
    });
  return isIncomplete ? issue('MAP_UNKNOWN_KEY', keys, (all, are) => `${all} ${are} in no tensor's name.`) : [];
}

function dottedRewrite(map: DeviceMap, profile: ModelProfile): DeviceMap {
  const leaves = new Map<string, Device>();
  for (const block of profile.blocks) {
    const split = splitUnder(map, block);
    const device = deviceOf(map, block.tensors[0] ?? block.name);
    if (split !== null)
      for (const [key, home] of keysOf(block, { execution: 'streamed', ...split, scheme: null })) leaves.set(key, home);
    else if (device !== undefined) leaves.set(block.name, device);
  }
  for (const alias of profile.aliases.keys()) {
    const device = deviceOf(map, alias);
    if (device !== undefined) leaves.set(alias, device);
  }
  return emitDeviceMap(leaves, leaves.keys());
}

function spelled(device: Device | undefined): string {
  if (device === undefined) return 'no device';
  return typeof device === 'number' ? `GPU ${device}` : device;
}
