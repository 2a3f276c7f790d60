import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import { materializeTensors } from '../../../loader/index.js';
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { Device } from '../../../planner/map/device-map.js';
import { defaultCacheFolder } from '../../cache-folder.js';
import type { DeviceOptions } from '../../captioner-options.js';
import { Weights } from '../../graph/weights.js';
import { sessionPicture } from '../../session/session-picture.js';
import { computedDtypes } from './computed-dtypes.js';
import type { EngineDevice } from './engine-device.js';
import { GpuModel } from './gpu-model.js';
import { hostDevice } from './host-device.js';
import { placeOnDevices } from './place-on-devices.js';

/**
 * @param places the device of every block
 * @param openGpu a GPU of the map, opened once
 * @throws what `openGpu`, `GpuModel.open` and converting a checkpoint throw
 */
export async function openEngineModel(
  config: Blip2Config,
  checkpoint: Checkpoint,
  places: ReadonlyMap<string, Device>,
  options: DeviceOptions,
  openGpu: (gpu: number) => EngineDevice,
): Promise<GpuModel> {
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
    return await GpuModel.open({ config, tensors, picture, placeOf });
  } catch (error) {
    for (const { memory } of opened.values()) memory[Symbol.dispose]();
    throw error;
  }
}
