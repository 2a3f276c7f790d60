import { Blip2Error } from '../../errors.js';
import type { Block } from '../../model/blocks.js';
import { deviceOf, type Device, type DeviceMap } from '../../planner/map/device-map.js';

/**
 * The device of every block under a Hugging Face device map.
 * @throws Blip2Error `MAP_UNCOVERED` where a block has no device, `MAP_BLOCK_CUT` where one has several.
 */
export function placeBlocks(blocks: readonly Block[], map: DeviceMap): Map<string, Device> {
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
    throw new Blip2Error('MAP_UNCOVERED', `the device map has no device for ${summary(without)}`, {
      hint: 'Add the missing modules, or the key "" for everything that no other key covers.',
      details: { blocks: without },
    });
  }
  return placed;
}

function summary(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more blocks` : shown;
}
