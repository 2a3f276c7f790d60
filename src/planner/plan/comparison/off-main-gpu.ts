import { deviceOf, gpusOf, type DeviceMap } from '../../map/device-map.js';
import { sample } from '../../map/module-paths.js';
import type { ModelProfile } from '../../profile/model-profile.js';

/**
 * What to say of modules that a map puts on another GPU than the one that runs the model's own code. Some models run so all the same: whether one
 * adds up what two of its modules make is known where it was tried.
 */
export function offMainGpu(map: DeviceMap, { blocks }: ModelProfile): string[] {
  const gpus = gpusOf(map);
  if (gpus.size < 2) return [];
  const main = Math.min(...gpus);
  const off = blocks.filter(({ name, tensors, onMainGpu }) => {
    const device = deviceOf(map, tensors[0] ?? name);
    return onMainGpu === true && typeof device === 'number' && device !== main;
  });
  if (off.length === 0) return [];
  return [
    `${sample(off.map(({ name }) => name))} ${off.length === 1 ? 'is' : 'are'} on another GPU than ${main}, which runs the model's own code: where that adds up ` +
      'what modules make, or reads what they hold, transformers fails with tensors on two devices. Plans keep them together.',
  ];
}
