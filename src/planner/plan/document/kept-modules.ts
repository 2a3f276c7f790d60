/** Small modules of streamed blocks that stay on the GPU, in a device map. */
import type { BlockRun, ModelProfile, ProfileBlock } from '../../profile/model-profile.js';
import { deviceOf, type Device, type DeviceMap } from '../../map/device-map.js';
import { parentOf } from '../../map/module-paths.js';

/**
 * The keys of a block and their devices.
 * @param keptOn where its small modules are; null for where the block is
 */
export function keysOf(block: ProfileBlock, device: Device, keptOn: Device | null): DeviceMap {
  if (keptOn === null || block.keptTensors.length === 0) return new Map([[block.name, device]]);
  const kept = new Set(block.keptTensors);
  return new Map(block.tensors.map((name) => [parentOf(name), kept.has(name) ? keptOn : device] as const));
}

/** Whether a map splits a block as plans for transformers do: on the host all but its small modules, which are on one GPU. */
export function keepsItsSmall({ tensors, keptTensors }: ProfileBlock, map: DeviceMap): boolean {
  if (keptTensors.length === 0) return false;
  const kept = new Set(keptTensors);
  const gpus = new Set(keptTensors.map((name) => deviceOf(map, name)));
  const others = new Set(tensors.filter((name) => !kept.has(name)).map((name) => deviceOf(map, name)));
  const [gpu] = gpus;
  const [store] = others;
  return gpus.size === 1 && others.size === 1 && typeof gpu === 'number' && (store === 'cpu' || store === 'disk');
}

/** The profile of blocks that keep what this map keeps. */
export function keptUnder(profile: ModelProfile, map: DeviceMap): ModelProfile {
  const whole = (run: BlockRun): BlockRun => ({ ...run, keptBytes: 0, keptLeaves: 0 });
  return {
    ...profile,
    blocks: profile.blocks.map((block) =>
      block.keptTensors.length === 0 || keepsItsSmall(block, map)
        ? block
        : { ...block, keptTensors: [], keptBytes: 0, runs: block.runs.map(whole) },
    ),
  };
}
