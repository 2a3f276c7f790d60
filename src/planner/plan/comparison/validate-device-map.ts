/**
 * Whether a device map can be executed: read the same way by every part of transformers, complete, and without the
 * placements that fail at load or in the first forward pass.
 */
import { at } from '../../../checked-access.js';
import type { ModelProfile, ProfileBlock } from '../../profile/model-profile.js';
import { whyNotThere } from '../../profile/why-not-there.js';
import { deviceOf, type Device, type DeviceMap } from '../../map/device-map.js';
import { emitDeviceMap } from '../../map/emit-device-map.js';
import { keepsItsSmall, keysOf } from '../../profile/kept-modules.js';
import { conflictingReadings } from '../../map/prefix-readings.js';

/** What is wrong with a device map; `names` are tensors, modules or keys of the map, `message` says them in words. */
export type MapIssue =
  | {
      readonly code: 'MAP_PREFIX_CONFLICT';
      readonly message: string;
      /** Tensors with both readings, by hooks (dotted) and by the loader. */
      readonly tensors: readonly {
        readonly tensor: string;
        readonly dotted: Device | undefined;
        readonly loader: Device | undefined;
      }[];
      /** A map that means the dotted reading to everyone. */
      readonly rewrite: DeviceMap;
    }
  | {
      readonly code:
        | 'MAP_UNCOVERED'
        | 'MAP_QUERY_TOKENS_ON_DISK'
        | 'MAP_DTYPE_ON_DISK'
        | 'MAP_NOT_ON_GPU'
        | 'MAP_TIED_APART'
        | 'MAP_BLOCK_CUT'
        | 'MAP_UNKNOWN_KEY';
      readonly message: string;
      readonly names: readonly string[];
    };

/** Issues in the order a reader should mend them; none means the map is sound. */
export function validateDeviceMap(map: DeviceMap, profile: ModelProfile): MapIssue[] {
  const issues: MapIssue[] = [];
  const tensors = profile.blocks.flatMap((block) => block.tensors);
  const uncovered = [
    ...tensors.filter((name) => deviceOf(map, name) === undefined),
    ...profile.blocks
      .filter((block) => block.tensors.length === 0 && deviceOf(map, block.name) === undefined)
      .map((block) => block.name),
  ];
  if (uncovered.length > 0) {
    issues.push({
      code: 'MAP_UNCOVERED',
      message: `The map gives no device to ${listed(uncovered)}. transformers refuses such a map.`,
      names: uncovered,
    });
  }
  const conflicts = conflictingReadings(map, tensors).filter((reading) => reading.dotted !== undefined);
  const [first] = conflicts;
  if (first !== undefined) {
    issues.push({
      code: 'MAP_PREFIX_CONFLICT',
      message:
        `${conflicts.length} tensors are read two ways: ${first.tensor} is on ${spelled(first.dotted)} by its dotted ` +
        `prefix and on ${spelled(first.loader)} to the loader of transformers, which takes a key for everything that begins like it.`,
      tensors: conflicts,
      rewrite: dottedRewrite(map, profile),
    });
  }
  if (deviceOf(map, 'query_tokens') === 'disk' && tensors.includes('query_tokens')) {
    issues.push({
      code: 'MAP_QUERY_TOKENS_ON_DISK',
      message: 'query_tokens is on disk: parameters of the root module cannot be loaded from there.',
      names: ['query_tokens'],
    });
  }
  issues.push(
    ...dtypesOnDisk(map, profile),
    ...notOnGpu(map, profile),
    ...tiedApart(map, profile),
    ...cutBlocks(map, profile),
  );
  const unknown = unknownKeys(map, profile);
  if (unknown.length > 0) {
    issues.push({
      code: 'MAP_UNKNOWN_KEY',
      message: `${listed(unknown)} ${unknown.length === 1 ? 'is' : 'are'} in no module of this model.`,
      names: unknown,
    });
  }
  return issues;
}

function dtypesOnDisk(map: DeviceMap, profile: ModelProfile): MapIssue[] {
  const barred = profile.blocks.filter(
    ({ kind, stores, tensors }) =>
      kind !== 'query-tokens' &&
      stores.length > 0 &&
      !stores.includes('disk') &&
      tensors.some((tensor) => deviceOf(map, tensor) === 'disk'),
  );
  return barredFrom('on disk', 'MAP_DTYPE_ON_DISK', barred, profile);
}

function notOnGpu(map: DeviceMap, profile: ModelProfile): MapIssue[] {
  if (![...map.values()].some((device) => typeof device === 'number')) return [];
  const barred = profile.blocks.filter(
    ({ kind, stores, tensors }) =>
      kind !== 'query-tokens' &&
      stores.length === 0 &&
      tensors.some((tensor) => typeof deviceOf(map, tensor) === 'string'),
  );
  return barredFrom('not on a GPU', 'MAP_NOT_ON_GPU', barred, profile);
}

function barredFrom(
  where: string,
  code: 'MAP_DTYPE_ON_DISK' | 'MAP_NOT_ON_GPU',
  blocks: readonly ProfileBlock[],
  profile: ModelProfile,
): MapIssue[] {
  const names = blocks.map((block) => block.name);
  return blocks
    .slice(0, 1)
    .map((first) => ({ code, message: `${listed(names)} ${where}: ${whyNotThere(first, profile)}.`, names }));
}

/** Of the bonds, those of shared memory. */
const TIED = /^(vocabulary|tied)/;

function tiedApart(map: DeviceMap, { blocks, aliases }: ModelProfile): MapIssue[] {
  const bonds = new Set(blocks.map(({ bond }) => bond).filter((bond) => bond !== null && TIED.test(bond)));
  return [...bonds].flatMap((bond): MapIssue[] => {
    const tied = blocks.filter((block) => block.bond === bond).map((block) => block.name);
    const names = [...tied, ...[...aliases].filter(([, block]) => tied.includes(block)).map(([alias]) => alias)];
    const devices = new Set(names.map((name) => deviceOf(map, name)).filter((device) => device !== undefined));
    if (devices.size < 2) return [];
    return [
      {
        code: 'MAP_TIED_APART',
        message: `${names.join(' and ')} are tied and on ${[...devices].map(spelled).join(' and ')}: transformers fails to load or to run them.`,
        names,
      },
    ];
  });
}

function cutBlocks(map: DeviceMap, profile: ModelProfile): MapIssue[] {
  const cut = profile.blocks
    .filter((block) => new Set(block.tensors.map((name) => deviceOf(map, name))).size > 1 && !keepsItsSmall(block, map))
    .map((block) => block.name);
  if (cut.length === 0) return [];
  return [
    {
      code: 'MAP_BLOCK_CUT',
      message: `${listed(cut)} ${cut.length === 1 ? 'is' : 'are'} split between devices; a block runs on one.`,
      names: cut,
    },
  ];
}

function unknownKeys(map: DeviceMap, profile: ModelProfile): string[] {
  const known = new Set(['']);
  const names = [...profile.blocks.flatMap((block) => [block.name, ...block.tensors]), ...profile.aliases.keys()];
  for (const name of names) {
    for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) known.add(name.slice(0, end));
  }
  return [...map.keys()].filter((key) => !known.has(key));
}

function dottedRewrite(map: DeviceMap, profile: ModelProfile): DeviceMap {
  const leaves = new Map<string, Device>();
  for (const block of profile.blocks) {
    const device = deviceOf(map, block.tensors.find((name) => !block.keptTensors.includes(name)) ?? block.name);
    const kept = keepsItsSmall(block, map) ? deviceOf(map, at(block.keptTensors, 0)) : undefined;
    if (device === undefined) continue;
    for (const [key, home] of keysOf(block, device, kept ?? null)) leaves.set(key, home);
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

function listed(names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}
