import { Blip2Error } from '../../errors.js';
import type { Block } from '../../model/blocks.js';
import { deviceOf, type Device, type DeviceMap } from '../../planner/map/device-map.js';

/**
 * The device of every block under a Hugging Face device map.
 * @param beside modules that are in no block, for which a map may have keys
 * @throws Blip2Error `MAP_UNCOVERED` where a block has no device, `MAP_BLOCK_CUT` where one has several, `MAP_UNKNOWN_KEY` for a key
 *   that places nothing: what it was meant for would be placed by another one.
 */
export function placeBlocks(
  blocks: readonly Block[],
  map: DeviceMap,
  beside: readonly string[] = [],
): Map<string, Device> {
  const placed = new Map<string, Device>();
  const without: string[] = [];
  for (const { name } of blocks) {
    const device = deviceOf(map, name);
    const inside = [...map].filter(([key]) => key.startsWith(`${name}.`));
    const [first] = inside;
    if (inside.some(([, other]) => other !== (device ?? first?.[1]))) {
      const keys = inside.map(([key, other]) => `${key}: ${other}`).join(', ');
      throw new Blip2Error('MAP_BLOCK_CUT', `the device map cuts ${name}, which runs as a whole (${keys})`, {
        hint: `Give "${name}" one device, and no module inside it another.`,
        details: { block: name },
      });
    }
    const only = device ?? first?.[1];
    if (only === undefined) without.push(name);
    else placed.set(name, only);
  }
  if (without.length > 0) {
    throw new Blip2Error('MAP_UNCOVERED', `the device map has no device for ${summary(without, 'blocks')}`, {
      hint: 'Add the missing modules, or the key "" for everything that no other key covers.',
      details: { blocks: without },
    });
  }
  const unknown = [...map.keys()].filter(
    (key) =>
      key !== '' &&
      !beside.some((name) => isWithin(key, name)) &&
      !blocks.some(({ name }) => isWithin(name, key) || isWithin(key, name)),
  );
  if (unknown.length > 0) {
    throw new Blip2Error(
      'MAP_UNKNOWN_KEY',
      `in the device map ${summary(unknown, 'keys')} ${unknown.length === 1 ? 'is' : 'are'} in no module of this model`,
      {
        hint: 'Correct the key, or leave it out.',
        details: { keys: unknown },
      },
    );
  }
  return placed;
}

const isWithin = (path: string, module: string): boolean => path === module || path.startsWith(`${module}.`);

function summary(names: readonly string[], kind: string): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more ${kind}` : shown;
}
