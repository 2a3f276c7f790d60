import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import type { Blip2Config, RetrievalConfig, ModelConfig } from '../../../model/blip2-config.js';
import { blip2Blocks } from '../../../model/blocks.js';
import type { Device } from '../../../planner/map/device-map.js';
import { materializeTensors, type StoredTensor } from '../../../loader/index.js';
import type { DeviceOptions } from '../../device/device-options.js';
import { defaultCacheFolder } from '../../device/cache-folder.js';
import { Weights } from '../../graph/weights.js';
import type { RetrievalModel } from '../model/retrieval-model.js';
import { sessionPicture } from '../model/session-picture.js';
import type { EngineDevice, PlaceOf } from './device/engine-device.js';
import { openGpuModel, type GpuModel } from './gpu-model.js';
import { openGpuRetrieval } from './gpu-retrieval-model.js';
import { computedDtypes, computingBlocks } from './device/computed-dtypes.js';
import { hostDevice } from './device/host-device.js';
import { placeOnDevices } from './device/place-on-devices.js';
import type { EngineSources } from './program/started-programs.js';
import { WeightFiles } from './weights/weight-files.js';

/**
 * @param places the device of every block
 * @throws what `openOnDevices` and `openGpuModel` throw
 */
export function openEngineModel(
  config: Blip2Config,
  checkpoint: Checkpoint,
  places: ReadonlyMap<string, Device>,
  { options, ...others }: Pick<EngineRequest, 'options' | 'openGpu' | 'meanwhile' | 'ahead'>,
): Promise<GpuModel> {
  return openOnDevices(config, { checkpoint, places, options, ...others }, async (sources) => {
    const { placeOf, language } = withLanguageBeside(config, sources.placeOf);
    try {
      return await openGpuModel({ ...sources, placeOf }, options.plan?.workload);
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
): Promise<RetrievalModel> {
  return openOnDevices(config, { checkpoint, places, options, openGpu }, (sources) => openGpuRetrieval(sources));
}

/** Where a model is to run. */
interface EngineRequest {
  readonly checkpoint: Checkpoint;
  /** The device of every block. */
  readonly places: ReadonlyMap<string, Device>;
  readonly options: DeviceOptions;
  /** A GPU of the map, opened once. */
  readonly openGpu: (gpu: number) => EngineDevice;
  /** Done while a driver locks pages. */
  readonly meanwhile?: () => void;
  /** Files whose pages are being locked; the model's, or dropped. */
  readonly ahead?: WeightFiles | null;
}

/**
 * Opens the devices, brings weights to the dtypes that they compute in, and opens a model over them.
 * @throws what `openGpu`, `openModel` and converting a checkpoint throw; the devices are freed
 */
async function openOnDevices<Config extends ModelConfig, Model>(
  config: Config,
  { checkpoint, places, options, openGpu, meanwhile, ahead = null }: EngineRequest,
  openModel: (sources: EngineSources<Config>) => Promise<Model>,
): Promise<Model> {
  const { cacheFolder = defaultCacheFolder(), pictureSize, signal, onConvert } = options;
  const opened = new Map<number | 'cpu', EngineDevice>();
  let files = ahead;
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
    const begun = files;
    files = null;
    files = await WeightFiles.open(tensors.values(), begun);
    pinCopied(files, tensors, computingBlocks(config, tensors), placeOf);
    meanwhile?.();
    const picture = await sessionPicture(config, new Weights(config, tensors), pictureSize);
    return await openModel({ config, tensors, files, picture, placeOf });
  } catch (error) {
    await files?.pinned().catch(() => undefined);
    await files?.drop();
    for (const { memory } of opened.values()) memory[Symbol.dispose]();
    throw error;
  }
}

/**
 * Starts to pin what cards copy, while graphs are written. What is pinned is pinned for all devices, and a file is pinned once: by the first
 * card, whose thread may have locked it.
 */
function pinCopied(
  files: WeightFiles,
  tensors: ReadonlyMap<string, StoredTensor>,
  blockOf: (tensor: string) => string | undefined,
  placeOf: PlaceOf,
): void {
  const copied = [...tensors].flatMap(([name, tensor]) => {
    const block = blockOf(name);
    const place = block === undefined ? undefined : placeOf(block);
    return place === undefined || (place.device.isHost && place.isResident) ? [] : [{ tensor, device: place.device }];
  });
  const [first] = copied.toSorted((a, b) => (a.device.card ?? 0) - (b.device.card ?? 0));
  if (first !== undefined)
    files.pin(
      copied.map(({ tensor }) => tensor),
      first.device.memory,
    );
}
