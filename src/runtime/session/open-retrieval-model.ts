import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import type { RetrievalConfig } from '../../model/blip2-config.js';
import type { DeviceOptions } from '../device/device-options.js';
import { cudaDevice } from './gpu/device/cuda-device.js';
import { openEngineRetrieval } from './gpu/open-engine-model.js';
import { webgpuDevice } from './gpu/device/webgpu-device.js';
import { placesOf } from './places.js';
import type { RetrievalModel } from './model/retrieval-model.js';
import { retrievalSessions } from './cpu/retrieval-sessions.js';
import { sessionSources } from './cpu/session-sources.js';

/** A model that compares pictures with texts, on the devices that the options name. */
export async function openRetrievalModel(
  config: RetrievalConfig,
  checkpoint: Checkpoint,
  options: DeviceOptions,
): Promise<RetrievalModel> {
  const { places, provider } = await placesOf(config, options);
  if (provider === 'cuda') return openEngineRetrieval(config, checkpoint, places, options, cudaDevice);
  if (provider === 'webgpu' && process.platform === 'linux') {
    return openEngineRetrieval(config, checkpoint, places, options, webgpuDevice);
  }
  return retrievalSessions(await sessionSources(config, checkpoint, { ...options, provider }));
}
