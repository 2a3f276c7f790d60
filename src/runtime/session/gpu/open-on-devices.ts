import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import { materializeTensors } from '../../../loader/index.js';
import type { ModelConfig } from '../../../model/blip2-config.js';
import type { Device } from '../../../planner/map/device-map.js';
import { defaultCacheFolder } from '../../device/cache-folder.js';
import type { DeviceOptions } from '../../device/device-options.js';
import { Weights } from '../../graph/weights.js';
import { sessionPicture } from '../model/session-picture.js';
import { computedDtypes } from './device/computed-dtypes.js';
import type { EngineDevice } from './device/engine-device.js';
import { hostDevice } from './device/host-device.js';
import { placeOnDevices } from './device/place-on-devices.js';
import type { EngineSources } from './program/started-programs.js';

/** Where a model is to run. */
export interface EngineRequest {
  readonly checkpoint: Checkpoint;
  /** The device of every block. */
  readonly places: ReadonlyMap<string, Device>;
  readonly options: DeviceOptions;
  /** A GPU of the map, opened once. */
  readonly openGpu: (gpu: number) => EngineDevice;
}

/**
 * Opens the devices, brings weights to the dtypes that they compute in, and opens a model over them.
 * @throws what `openGpu`, `openModel` and converting a checkpoint throw; the devices are freed
 */
export async function openOnDevices<Config extends ModelConfig, Model>(
  config: Config,
  { checkpoint, places, options, openGpu }: EngineRequest,
  openModel: (sources: EngineSources<Config>) => Promise<Model>,
): Promise<Model> {
  const { cacheFolder = defaultCacheFolder(), pictureSize, signal, onConvert } = options;
  const opened = new Map<number | 'cpu', EngineDevice>();
  const open = (id: number | 'cpu'): EngineDevice => {
    const device = opened.get(id) ?? (id === 'cpu' ? hostDevice(options) : openGpu(id));
    opened.set(id, device);
    return device;
  };
  try {
    const placeOf = placeOnDevices(config, checkpoint.tensors, places, options, open);
    const dtypes = computedDtypes(config, checkpoint.tensors, (block) => placeOf(block).device.style);
    const { tensors } = await materializeTensors(checkpoint, dtypes, cacheFolder, {
      ...(signal === undefined ? {} : { signal }),
      ...(onConvert === undefined ? {} : { onProgress: onConvert }),
    });
    const picture = await sessionPicture(config, new Weights(config, tensors), pictureSize);
    return await openModel({ config, tensors, picture, placeOf });
  } catch (error) {
    for (const { memory } of opened.values()) memory[Symbol.dispose]();
    throw error;
  }
}
