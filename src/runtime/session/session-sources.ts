import { Blip2Error } from '../../errors.js';
import type { Checkpoint, StoredTensor } from '../../loader/checkpoint/checkpoint.js';
import { materializeTensors } from '../../loader/index.js';
import type { ModelConfig } from '../../model/blip2-config.js';
import { blip2Blocks } from '../../model/blocks.js';
import type { Device } from '../../planner/map/device-map.js';
import { isFloating } from '../../tensor/dtype.js';
import { defaultCacheFolder } from '../cache-folder.js';
import type { DeviceOptions } from '../captioner-options.js';
import { cpuOptions } from './cpu-options.js';
import { placeBlocks } from './place-blocks.js';
import type { SessionSources } from './start-program.js';

/** Where sessions run: the host, or a GPU of the map by its number. Disk is the host too: its weights are mapped. */
type SessionDevice = 'cpu' | number;

/** @throws Blip2Error `MAP_UNCOVERED`, `MAP_BLOCK_CUT`, `GPU_MISSING`; what converting a checkpoint throws. */
export async function sessionSources<Config extends ModelConfig>(
  config: Config,
  checkpoint: Checkpoint,
  options: DeviceOptions,
): Promise<SessionSources<SessionDevice, Config>> {
  const { deviceMap, emulateGpu = false, threads, pictureSize } = options;
  const places = placeBlocks(blip2Blocks(config), deviceMap ?? new Map<string, Device>([['', 'cpu']]));
  const gpus = [...new Set(places.values())].filter((device) => typeof device === 'number');
  if (gpus.length > 0 && !emulateGpu) {
    throw new Blip2Error('GPU_MISSING', `the device map uses GPU ${gpus.join(', ')}, and no GPU can be used here`, {
      hint: 'Plan for the CPU alone, or run each GPU of the map as a CPU session of its own with --emulate-gpu.',
      details: { gpus },
    });
  }
  return {
    config,
    tensors: await float32Tensors(checkpoint, options),
    ...(pictureSize === undefined ? {} : { pictureSize }),
    placeOf: ({ name }) => {
      const device = places.get(name);
      return typeof device === 'number' ? device : 'cpu';
    },
    optionsOf: (_, folder) => cpuOptions(folder, threads === undefined ? {} : { threads }),
  };
}

/** The CPU computes in float32: float16 and bfloat16 weights are converted once and mapped from then on. */
async function float32Tensors(
  checkpoint: Checkpoint,
  { cacheFolder = defaultCacheFolder(), signal, onConvert }: DeviceOptions,
): Promise<ReadonlyMap<string, StoredTensor>> {
  const floating = [...checkpoint.tensors].filter(([, { dtype }]) => isFloating(dtype));
  const dtypes = new Map(floating.map(([name]) => [name, 'F32'] as const));
  const { tensors } = await materializeTensors(checkpoint, dtypes, cacheFolder, {
    ...(signal === undefined ? {} : { signal }),
    ...(onConvert === undefined ? {} : { onProgress: onConvert }),
  });
  return tensors;
}
