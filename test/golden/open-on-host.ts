/** The device programs on the CPU, whose memory stands in for GPUs': same units, same copies, same caches. */
import type { StoredTensor } from '../../src/loader/format/stored-tensor.js';
import type { Blip2Config } from '../../src/model/blip2-config.js';
import type { Placement } from '../../src/planner/plan/document/plan-document.js';
import { gpuStyle } from '../../src/runtime/graph/gpu/gpu-style.js';
import type { PictureSize } from '../../src/model/picture-size.js';
import { Weights } from '../../src/runtime/graph/weights.js';
import type { EngineDevice, PlaceOf } from '../../src/runtime/session/gpu/device/engine-device.js';
import { WeightFiles } from '../../src/runtime/session/gpu/weights/weight-files.js';
import { openGpuModel, type GpuModel } from '../../src/runtime/session/gpu/gpu-model.js';
import { HostMemory } from '../../src/runtime/device/memory/host-memory.js';
import { sessionPicture } from '../../src/runtime/session/model/session-picture.js';

type DeviceId = Placement['runsOn'];

export interface HostDevices {
  /** What a device is, where that is not host memory and float32. */
  readonly device?: (id: DeviceId) => Partial<EngineDevice>;
  /** The device of each block. Default: one for all. */
  readonly deviceOf?: (block: string) => DeviceId;
  readonly pictureSize?: PictureSize;
  /** Pictures that are encoded together. Default: as without a plan. */
  readonly encoded?: number | undefined;
}

/** The model as a plan places it. */
export function openPlanOnHost(
  config: Blip2Config,
  tensors: ReadonlyMap<string, StoredTensor>,
  placements: readonly Placement[],
  device: (id: DeviceId) => Partial<EngineDevice>,
  {
    pictureSize,
    encoded,
  }: { readonly pictureSize?: PictureSize | undefined; readonly encoded?: number | undefined } = {},
): Promise<GpuModel> {
  const placed = new Map(placements.map((placement) => [placement.block, placement]));
  return openOnHost(config, tensors, (block) => placed.get(block)?.execution !== 'streamed', {
    device,
    deviceOf: (block) => placed.get(block)?.runsOn ?? 'cpu',
    encoded,
    ...(pictureSize === undefined ? {} : { pictureSize }),
  });
}

export async function openOnHost(
  config: Blip2Config,
  tensors: ReadonlyMap<string, StoredTensor>,
  isResident: (block: string) => boolean,
  devices: HostDevices = {},
): Promise<GpuModel> {
  const picture = await sessionPicture(config, new Weights(config, tensors), devices.pictureSize);
  const { encoded } = devices;
  const planned = encoded === undefined ? undefined : { batch: 1, beams: 1, encoded };
  const files = await WeightFiles.open(tensors.values());
  return openGpuModel({ config, tensors, files, picture, placeOf: hostPlaces(isResident, devices) }, planned);
}

export function hostPlaces(
  isResident: (block: string) => boolean,
  { device = () => ({}), deviceOf = () => 0 }: HostDevices,
): PlaceOf {
  const devices = new Map<DeviceId, EngineDevice>();
  const open = (id: DeviceId): EngineDevice => {
    const opened = devices.get(id) ?? {
      memory: new HostMemory(),
      style: gpuStyle('F32'),
      sessionOptions: () => ({ threads: 1 }),
      isHost: false,
      canRecord: false,
      ...device(id),
    };
    devices.set(id, opened);
    return opened;
  };
  return (block) => ({ device: open(deviceOf(block)), isResident: isResident(block) });
}
