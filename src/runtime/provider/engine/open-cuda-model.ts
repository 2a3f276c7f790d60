import { Blip2Error } from '../../../errors.js';
import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import { materializeTensors } from '../../../loader/index.js';
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { Device } from '../../../planner/map/device-map.js';
import { loadedDtype } from '../../../planner/profile/load-dtype.js';
import { defaultCacheFolder } from '../../cache-folder.js';
import type { DeviceOptions } from '../../captioner-options.js';
import { Weights } from '../../graph/weights.js';
import { sessionPicture } from '../../session/session-picture.js';
import { cudaSettings, openCudaMemory } from '../cuda-provider.js';
import { GpuModel } from './gpu-model.js';

const TOKENS = 'language_model.model.decoder.embed_tokens';
const HEAD = 'language_model.lm_head';

/**
 * @param places the device of every block; those on the CPU or disk stream through the GPU
 * @throws Blip2Error `GPU_COUNT` for a map over several GPUs; what `GpuModel.open` throws
 */
export async function openCudaModel(
  config: Blip2Config,
  checkpoint: Checkpoint,
  places: ReadonlyMap<string, Device>,
  { cacheFolder = defaultCacheFolder(), pictureSize, signal, onConvert }: DeviceOptions,
): Promise<GpuModel> {
  const [gpu = 0, ...others] = new Set([...places.values()].filter((device) => typeof device === 'number'));
  if (gpu !== 0 || others.length > 0) {
    throw new Blip2Error('GPU_COUNT', `the device map uses GPUs ${[gpu, ...others].join(', ')}; one run uses GPU 0`, {
      hint: 'Plan with a single --vram, and choose the card with CUDA_VISIBLE_DEVICES.',
    });
  }
  const rules = { dtype: 'float16', blip2: 'blip-2' } as const;
  const dtypes = new Map(
    [...checkpoint.tensors].map(([name, { dtype }]) => [name, loadedDtype(name, dtype, rules)] as const),
  );
  const { tensors } = await materializeTensors(checkpoint, dtypes, cacheFolder, {
    ...(signal === undefined ? {} : { signal }),
    ...(onConvert === undefined ? {} : { onProgress: onConvert }),
  });
  const memory = openCudaMemory(gpu);
  if (memory === null) throw new Blip2Error('GPU_MISSING', 'the CUDA driver cannot be loaded');
  const onGpu = (block: string) => typeof places.get(block) === 'number';
  // A head without a table of its own shares the token table, wherever that is.
  const sharesTable = !tensors.has(`${HEAD}.weight`);
  return GpuModel.open({
    config,
    tensors,
    picture: await sessionPicture(config, new Weights(config, tensors), pictureSize),
    isResident: (block) => onGpu(block) || (block === HEAD && sharesTable && onGpu(TOKENS)),
    memory,
    float: 'F16',
    sessionOptions: (recorded) => ({ cuda: cudaSettings(recorded ? 'recorded' : memory) }),
    canRecord: true,
  });
}
