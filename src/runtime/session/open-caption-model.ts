import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import { Blip2Error } from '../../errors.js';
import type { Blip2Config } from '../../model/blip2-config.js';
import { mayQuantizeCaches } from '../../model/quantized-caches.js';
import type { DeviceOptions } from '../device/device-options.js';
import { cudaDevice } from './gpu/device/cuda-device.js';
import { webgpuDevice } from './gpu/device/webgpu-device.js';
import { openEngineModel } from './gpu/open-engine-model.js';
import { blip2Sessions } from './cpu/blip2-sessions.js';
import type { WeightFiles } from './gpu/weights/weight-files.js';
import type { CaptionModel } from './model/caption-model.js';
import { placesOf } from './places.js';
import { quantizeBlocks } from './cpu/quantize-blocks.js';
import { sessionSources } from './cpu/session-sources.js';

/** What goes on while a model opens. */
export interface Beside {
  /** Done on the way, where devices do by themselves what takes time. */
  readonly meanwhile?: () => void;
  /** Of `lockAhead`: the model's, once it is open. Where it does not open, the caller drops them. */
  readonly ahead?: WeightFiles | null;
}

/** A model on the devices that the options name, in the precision that they ask for. */
export async function openCaptionModel(
  config: Blip2Config,
  checkpoint: Checkpoint,
  options: DeviceOptions,
  { meanwhile = () => undefined, ahead = null }: Beside = {},
): Promise<CaptionModel> {
  const { places, provider } = await placesOf(config, options);
  const prepared = await quantizeBlocks(config, checkpoint, options);
  const caches = options.plan?.workload.caches ?? 'float';
  if (caches === 'int8' && !(provider === 'cuda' && mayQuantizeCaches(config.text))) {
    throw new Blip2Error(
      'PLAN_MISMATCH',
      `the plan keeps caches as int8, which ${provider} does not do for this model`,
      {
        hint: 'Only an OPT on CUDA cards has such caches. Plan again for the provider that is to run it.',
        details: { provider },
      },
    );
  }
  if (provider === 'cuda') {
    const openGpu = (gpu: number) => cudaDevice(gpu, caches);
    return openEngineModel(config, prepared, places, { options, meanwhile, openGpu, ahead });
  }
  await ahead?.drop();
  if (provider === 'webgpu' && process.platform === 'linux') {
    return openEngineModel(config, prepared, places, { options, meanwhile, openGpu: webgpuDevice });
  }
  meanwhile();
  const sources = await sessionSources(config, prepared, { ...options, provider });
  return blip2Sessions(sources, options.plan?.workload.encoded);
}
