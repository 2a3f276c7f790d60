/** A device map of the loaded model in the names of its file, and back: for loaders that read files without translating. */
import { deviceOf, type Device, type DeviceMap } from './device-map.js';
import { emitDeviceMap } from './emit-device-map.js';

/** Loaded name -> its names in the file. */
export type FileNames = ReadonlyMap<string, readonly string[]>;

export function inFileNames(map: DeviceMap, names: FileNames): DeviceMap {
  return translated(
    names,
    (loaded) => deviceOf(map, loaded),
    (_, sources) => sources,
  );
}

export function inLoadedNames(map: DeviceMap, names: FileNames): DeviceMap {
  return translated(
    names,
    (_, [source = '']) => deviceOf(map, source),
    (loaded) => [loaded],
  );
}

function translated(
  names: FileNames,
  device: (loaded: string, sources: readonly string[]) => Device | undefined,
  targets: (loaded: string, sources: readonly string[]) => readonly string[],
): DeviceMap {
  const leaves = new Map<string, Device>();
  for (const [loaded, sources] of names) {
    // No key of others may stand for what has no device.
    const home = device(loaded, sources) ?? NOWHERE;
    for (const target of targets(loaded, sources)) leaves.set(target, home);
  }
  return new Map([...emitDeviceMap(leaves, leaves.keys())].filter(([, home]) => home !== NOWHERE));
}

/** Of what a map leaves out. */
const NOWHERE = -1;

/** Loaded names of tensors that are several in the file, which a map in its names has in several places. */
export function splitOnLoad(map: DeviceMap, names: FileNames): string[] {
  return [...names]
    .filter(([, sources]) => new Set(sources.map((source) => deviceOf(map, source))).size > 1)
    .map(([loaded]) => loaded);
}
