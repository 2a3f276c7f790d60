import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import type { Blip2Config } from '../../model/blip2-config.js';
import type { DeviceOptions } from '../device/device-options.js';
import { cudaDevice } from './gpu/device/cuda-device.js';
import { webgpuDevice } from './gpu/device/webgpu-device.js';
import { openEngineModel } from './gpu/open-engine-model.js';
import { Blip2Sessions } from './cpu/blip2-sessions.js';
import type { CaptionModel } from './model/caption-model.js';
import { placesOf } from './places.js';
import { quantizeBlocks } from './cpu/quantize-blocks.js';
import { sessionSources } from './cpu/session-sources.js';

/** A model on the devices that the options name, in the precision that they ask for. */
export async function openCaptionModel(
  config: Blip2Config,
  checkpoint: Checkpoint,
  options: DeviceOptions,
): Promise<CaptionModel> {
  const { places, provider } = await placesOf(config, options);
  const prepared = await quantizeBlocks(config, checkpoint, options);
  if (provider === 'cuda') return openEngineModel(config, prepared, places, options, cudaDevice);
  if (provider === 'webgpu' && process.platform === 'linux') {
    return openEngineModel(config, prepared, places, options, webgpuDevice);
  }
  const sources = await sessionSources(config, prepared, { ...options, provider });
  return Blip2Sessions.create(sources, options.plan?.workload.encoded);
}
