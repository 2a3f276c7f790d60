import type { ModelConfig } from '../../model/blip2-config.js';
import { blip2Blocks } from '../../model/blocks.js';
import { modulesBesideBlocks } from '../../model/modules-beside-blocks.js';
import type { Device } from '../../planner/map/device-map.js';
import type { DeviceOptions } from '../device/device-options.js';
import { chooseGpuProvider } from '../device/choose-provider.js';
import { placeBlocks } from './place-blocks.js';

export interface Places {
  /** The device of every block. */
  readonly places: ReadonlyMap<string, Device>;
  /** What the GPUs among them are; `cpu` where there are none, or the CPU stands in for them. */
  readonly provider: 'cuda' | 'webgpu' | 'cpu';
}

/**
 * Without a map everything is on the CPU, or on GPU 0 where a provider for GPUs is asked for.
 * @throws Blip2Error `MAP_UNCOVERED`, `MAP_BLOCK_CUT`, `MAP_UNKNOWN_KEY`, `GPU_MISSING`
 */
export async function placesOf(config: ModelConfig, options: DeviceOptions): Promise<Places> {
  const { provider = 'auto', deviceMap, emulateGpu = false } = options;
  const everywhere = provider === 'cuda' || provider === 'webgpu' ? 0 : 'cpu';
  const map = deviceMap ?? new Map<string, Device>([['', everywhere]]);
  const places = placeBlocks(blip2Blocks(config), map, modulesBesideBlocks(config));
  const gpus = [...new Set(places.values())].filter((device) => typeof device === 'number');
  if (gpus.length === 0 || emulateGpu) return { places, provider: 'cpu' };
  return { places, provider: await chooseGpuProvider(provider, gpus, deviceMap !== undefined) };
}
