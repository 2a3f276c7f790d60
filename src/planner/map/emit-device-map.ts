/**
 * The shortest device map that means the same to every reader: subtrees on one device become one key, a module that is
 * split lists all its parts, and the result is read back both ways before it is handed out.
 */
import { errorText, option } from '../../error-text.js';
import { Blip2Error } from '../../errors.js';
import type { Device, DeviceMap } from './device-map.js';
import { conflictingReadings } from './prefix-readings.js';

interface Node {
  /** Null for most: leaves have none. */
  children: Map<string, Node> | null;
  device: Device | undefined;
  /** Keeps a key of its own. */
  apart: boolean;
}

/**
 * The shortest device map of a placement that means the same to every reader.
 * @param leaves device of every block (module path or parameter name), in the order the model runs
 * @param tensors every tensor name the map has to place
 * @param apart leaves that no key above them may stand for
 * @throws Blip2Error `MAP_AMBIGUOUS` where module names are such that no map is read the same way by all
 */
export function emitDeviceMap(
  leaves: DeviceMap,
  tensors: Iterable<string>,
  apart: ReadonlySet<string> = new Set(),
): DeviceMap {
  const root: Node = { children: null, device: undefined, apart: false };
  for (const [name, device] of leaves) {
    let node = root;
    for (const part of name === '' ? [] : name.split('.')) {
      node.children ??= new Map();
      let child = node.children.get(part);
      if (child === undefined) node.children.set(part, (child = { children: null, device: undefined, apart: false }));
      node = child;
    }
    node.device = device;
    node.apart = apart.has(name);
  }
  const names = [...tensors];
  const keys: [string, Device][] = [];
  collapse(root, '', keys);
  const short = new Map(keys);
  if (conflictingReadings(short, names).length === 0) return short;
  // Unmerged keys leave fewer names for a short key to claim by accident.
  const conflicts = conflictingReadings(leaves, names);
  const [first] = conflicts;
  if (first === undefined) return leaves;
  throw new Blip2Error(
    'MAP_AMBIGUOUS',
    `No device map is read the same way by all of transformers: ${first.tensor} would go to two devices.`,
    {
      hint: errorText`Place the modules whose names begin alike on one device, with ${option('pins')}.`,
      details: { conflicts },
    },
  );
}

/** Adds the keys of a subtree; the one device that one key may give it, or undefined. */
function collapse(node: Node, path: string, keys: [string, Device][]): Device | undefined {
  const start = keys.length;
  let device = node.device;
  let uniform = true;
  if (device !== undefined) keys.push([path, device]);
  for (const [part, child] of node.children ?? []) {
    const below = collapse(child, path === '' ? part : `${path}.${part}`, keys);
    uniform &&= !child.apart && below !== undefined && below === (device ?? below);
    device ??= below;
  }
  if (!uniform || device === undefined) return undefined;
  keys.length = start;
  keys.push([path, device]);
  return device;
}
