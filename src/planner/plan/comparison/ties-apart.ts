import { deviceOf, gpusOf, type Device, type DeviceMap } from '../../map/device-map.js';
import type { ModelProfile } from '../../profile/model-profile.js';

/** Modules whose tensors are one, in more than one place. */
export interface TieApart {
  readonly names: readonly string[];
  readonly devices: readonly Device[];
  /** Where they are all the same: accelerate takes what one of them has on the only GPU for those in host memory, too. null where that fails. */
  readonly gpu: number | null;
}

/** Of the bonds, those of shared memory. */
const TIED = /^(vocabulary|tied)/;

/** What has a module's name for a tensor that a module below holds is not read by that name, as LUKE's `lm_head.bias`. */
const A_TENSOR = /\.(weight|bias)$/;

/** The map with a key for each tied module whose weight alone has one. */
export function withTiedModules(map: DeviceMap, { blocks, aliases }: ModelProfile): DeviceMap {
  const tied = [...aliases.keys(), ...blocks.flatMap(({ name, tensors }) => (tensors.length === 0 ? [name] : []))];
  const lone = tied.flatMap((name): [string, Device][] => {
    const device = deviceOf(map, name) === undefined ? map.get(`${name}.weight`) : undefined;
    return device === undefined ? [] : [[name, device]];
  });
  return lone.length === 0 ? map : new Map([...map, ...lone]);
}

/** Modules whose weights are one, tie by tie. */
export function tiedModules({ blocks, aliases }: ModelProfile): string[][] {
  const groups = new Map<string, string[]>();
  for (const { name, bond } of blocks) {
    const others = [...aliases].flatMap(([alias, block]) => (block === name && !A_TENSOR.test(alias) ? [alias] : []));
    const isTied = bond !== null && TIED.test(bond);
    if (!isTied && others.length === 0) continue;
    const label = isTied ? bond : name;
    groups.set(label, [...(groups.get(label) ?? []), name, ...others]);
  }
  return [...groups.values()];
}

/** The ties that a map pulls apart. */
export function tiesApart(map: DeviceMap, profile: ModelProfile): TieApart[] {
  const { family, engine, fileNames, blocks } = profile;
  const gpus = gpusOf(map);
  const held = new Map(blocks.map(({ name, tensors }) => [name, tensors[0] ?? name]));
  return tiedModules(profile).flatMap((names): TieApart[] => {
    const homes = new Set(names.map((name) => deviceOf(map, held.get(name) ?? name)));
    const devices = [...homes].filter((device) => device !== undefined);
    if (devices.length < 2) return [];
    const [gpu, ...others] = [...gpus];
    const isHooked = family === 'generic' && engine === 'transformers' && fileNames === undefined;
    const isHeld = isHooked && others.length === 0 && !devices.includes('disk');
    return [{ names, devices, gpu: isHeld ? (gpu ?? null) : null }];
  });
}

/** The map as it comes out: with tied modules where they are held. */
export function withTiesHeld(map: DeviceMap, profile: ModelProfile): DeviceMap {
  const held = tiesApart(map, profile).flatMap(({ names, gpu }) =>
    gpu === null ? [] : names.map((name): [string, Device] => [name, gpu]),
  );
  if (held.length === 0) return map;
  const all = new Map([...map, ...held]);
  for (const [name, gpu] of held) for (const key of map.keys()) if (key.startsWith(`${name}.`)) all.set(key, gpu);
  return all;
}

/** What to say of these. */
export function heldTogether(map: DeviceMap, profile: ModelProfile): string[] {
  return tiesApart(map, profile).flatMap(({ names, gpu }) =>
    gpu === null
      ? []
      : [
          `${names.join(' and ')} are one tensor, which transformers keeps on GPU ${gpu}, whatever has a key for host memory.`,
        ],
  );
}
