import { deviceOf, gpusOf, type Device, type DeviceMap } from '../../map/device-map.js';
import type { ModelProfile } from '../../profile/model-profile.js';

/**
 * What a class makes itself because no file holds it, where no key covers it: parameters, for which transformers wants a device, and buffers.
 * @returns warnings
 */
export function leftBehind(map: DeviceMap, profile: ModelProfile): string[] {
  return [...withoutDevice(map, profile), ...onTheCpu(map, profile)];
}

function withoutDevice(map: DeviceMap, { engine, lackingKeys = new Map(), fileNames }: ModelProfile): string[] {
  if (engine !== 'transformers' || fileNames !== undefined) return [];
  const uncovered = [...lackingKeys].filter(([path]) => deviceOf(map, path) === undefined);
  if (uncovered.length === 0) return [];
  const keys = uncovered.map(([path, block]) => `"${path}": ${JSON.stringify(deviceOf(map, block) ?? 'cpu')}`);
  return [
    `No key covers ${uncovered.map(([path]) => path).join(', ')}, which no file holds: where this model has it, transformers refuses the map. ` +
      `Add ${keys.join(', ')}.`,
  ];
}

/**
 * Buffers that no file holds of modules that hold nothing else, where no key covers them: transformers takes such a map, leaves
 * them on the CPU, and fails in the first call that reads them there (`findings/transformers-uncovered-buffers.sh`).
 */
function onTheCpu(map: DeviceMap, { engine, besideBlocks = new Map(), fileNames }: ModelProfile): string[] {
  const devices = new Set(map.values());
  const gpus = [...gpusOf(map)];
  // accelerate moves a whole model where there is one device; names of a file have none for what is not in it.
  if (engine !== 'transformers' || fileNames !== undefined || devices.size < 2 || gpus.length === 0) return [];
  const uncovered = [...besideBlocks].filter(([path]) => deviceOf(map, path) === undefined);
  if (uncovered.length === 0) return [];
  const runsOn = (device: Device | undefined) => (typeof device === 'number' ? device : Math.min(...gpus));
  const keys = uncovered.map(([path, block]) => `"${path}": ${runsOn(deviceOf(map, block))}`);
  return [
    `No key covers ${uncovered.map(([path]) => path).join(', ')}: transformers leaves these buffers, which no file holds, on the CPU, and ` +
      `the first call fails there. Add ${keys.join(', ')}.`,
  ];
}
