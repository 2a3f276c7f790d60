import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import type { Blip2Config, RetrievalConfig } from '../../../model/blip2-config.js';
import type { Device } from '../../../planner/map/device-map.js';
import type { DeviceOptions } from '../../device-options.js';
import type { EngineDevice } from './device/engine-device.js';
import { GpuModel } from './gpu-model.js';
import { GpuRetrievalModel } from './gpu-retrieval-model.js';
import { openOnDevices } from './open-on-devices.js';

/**
 * @param places the device of every block
 * @param openGpu a GPU of the map, opened once
 * @throws what `openOnDevices` and `GpuModel.open` throw
 */
export function openEngineModel(
  config: Blip2Config,
  checkpoint: Checkpoint,
  places: ReadonlyMap<string, Device>,
  options: DeviceOptions,
  openGpu: (gpu: number) => EngineDevice,
): Promise<GpuModel> {
  return openOnDevices(config, { checkpoint, places, options, openGpu }, (sources) => GpuModel.open(sources));
}

/** The same for a checkpoint that compares pictures with texts. */
export function openEngineRetrieval(
  config: RetrievalConfig,
  checkpoint: Checkpoint,
  places: ReadonlyMap<string, Device>,
  options: DeviceOptions,
  openGpu: (gpu: number) => EngineDevice,
): Promise<GpuRetrievalModel> {
  return openOnDevices(config, { checkpoint, places, options, openGpu }, (sources) => GpuRetrievalModel.open(sources));
}
