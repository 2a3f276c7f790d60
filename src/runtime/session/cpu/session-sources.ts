import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import type { StoredTensor } from '../../../loader/format/stored-tensor.js';
import { isFloatDtype, materializeTensors } from '../../../loader/index.js';
import type { ModelConfig } from '../../../model/blip2-config.js';
import { defaultCacheFolder } from '../../device/cache-folder.js';
import type { DeviceOptions } from '../../device/device-options.js';
import { cpuOptions } from './cpu-options.js';
import { placesOf } from '../places.js';
import type { SessionSources } from './start-program.js';

/** Where sessions run: the host, or a GPU of the map by its number. Disk is the host too: its weights are mapped. */
type SessionDevice = 'cpu' | number;

/** @throws Blip2Error `MAP_UNCOVERED`, `MAP_BLOCK_CUT`, `MAP_UNKNOWN_KEY`, `GPU_MISSING`; what converting a checkpoint throws. */
export async function sessionSources<Config extends ModelConfig>(
  config: Config,
  checkpoint: Checkpoint,
  options: DeviceOptions,
): Promise<SessionSources<SessionDevice, Config>> {
  const { threads, pictureSize } = options;
  const { places, provider } = await placesOf(config, options);
  return {
    config,
    tensors: new Map([...checkpoint.tensors, ...(await float32Tensors(checkpoint, options))]),
    ...(pictureSize === undefined ? {} : { pictureSize }),
    placeOf: ({ name }) => {
      const device = places.get(name);
      return typeof device === 'number' ? device : 'cpu';
    },
    optionsOf: (place, weights) => ({
      ...cpuOptions(weights, threads === undefined ? {} : { threads }),
      ...(provider === 'webgpu' && typeof place === 'number'
        ? { executionProviders: ['webgpu', 'cpu'], logSeverityLevel: 3 as const }
        : {}),
    }),
  };
}

/** The CPU computes in float32: float16 and bfloat16 weights, and scales, are converted once and mapped from then on. */
async function float32Tensors(
  checkpoint: Checkpoint,
  { cacheFolder = defaultCacheFolder(), signal, onConvert }: DeviceOptions,
): Promise<ReadonlyMap<string, StoredTensor>> {
  // Others are refused where the model has one of them.
  const floating = [...checkpoint.tensors].filter(([, { dtype }]) => isFloatDtype(dtype));
  const dtypes = new Map(floating.map(([name]) => [name, 'F32'] as const));
  const { tensors } = await materializeTensors(checkpoint, dtypes, cacheFolder, {
    ...(signal === undefined ? {} : { signal }),
    ...(onConvert === undefined ? {} : { onProgress: onConvert }),
  });
  return tensors;
}
