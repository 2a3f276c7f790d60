import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import type { Blip2Config, RetrievalConfig } from '../../../model/blip2-config.js';
import { blip2Blocks } from '../../../model/blocks.js';
import type { Device } from '../../../planner/map/device-map.js';
import type { DeviceOptions } from '../../device/device-options.js';
import type { EngineDevice, PlaceOf } from './device/engine-device.js';
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
  return openOnDevices(config, { checkpoint, places, options, openGpu }, async (sources) => {
    const { placeOf, language } = withLanguageBeside(config, sources.placeOf);
    try {
      return await GpuModel.open({ ...sources, placeOf }, options.plan?.workload);
    } catch (error) {
      language?.memory[Symbol.dispose]();
      throw error;
    }
  });
}

/**
 * Where all of a model stays on one device that takes work beside its own, the language model has an order of its own: pictures
 * are encoded while others are decoded.
 */
function withLanguageBeside(config: Blip2Config, placeOf: PlaceOf): { placeOf: PlaceOf; language?: EngineDevice } {
  const blocks = blip2Blocks(config);
  const [first] = blocks.map(({ name }) => placeOf(name).device);
  const isWhole = blocks.every(({ name }) => placeOf(name).isResident && placeOf(name).device === first);
  if (!isWhole || first?.beside === undefined) return { placeOf };
  const language = first.beside();
  const languageBlocks = new Set(blocks.flatMap(({ name, phase }) => (phase === 'image' ? [] : [name])));
  return {
    language,
    placeOf: (block) => (languageBlocks.has(block) ? { device: language, isResident: true } : placeOf(block)),
  };
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
