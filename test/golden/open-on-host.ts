/** The device programs on the CPU, whose memory stands in for GPUs': same units, same copies, same caches. */
import type { StoredTensor } from '../../src/loader/checkpoint/checkpoint.js';
import type { Blip2Config } from '../../src/model/blip2-config.js';
import { gpuStyle } from '../../src/runtime/graph/gpu/gpu-style.js';
import { pictureGrid } from '../../src/runtime/graph/picture-grid.js';
import type { EngineDevice, PlaceOf } from '../../src/runtime/provider/engine/device/engine-device.js';
import { GpuModel } from '../../src/runtime/provider/engine/gpu-model.js';
import { HostMemory } from '../../src/runtime/provider/memory/host-memory.js';

export interface HostDevices {
  /** What a device is, where that is not host memory and float32. */
  readonly device?: (number: number) => Partial<EngineDevice>;
  /** The number of the device of each block. Default: one for all. */
  readonly deviceOf?: (block: string) => number;
}

export async function openOnHost(
  config: Blip2Config,
  tensors: ReadonlyMap<string, StoredTensor>,
  isResident: (block: string) => boolean,
  devices: HostDevices = {},
): Promise<GpuModel> {
  const picture = await pictureGrid(config.vision, undefined, () => Promise.reject(new Error('no other size')));
  return GpuModel.open({ config, tensors, picture, placeOf: hostPlaces(isResident, devices) });
}

export function hostPlaces(
  isResident: (block: string) => boolean,
  { device = () => ({}), deviceOf = () => 0 }: HostDevices,
): PlaceOf {
  const devices = new Map<number, EngineDevice>();
  const open = (number: number): EngineDevice => {
    const opened = devices.get(number) ?? {
      memory: new HostMemory(),
      style: gpuStyle('F32'),
      sessionOptions: () => ({ threads: 1 }),
      isHost: false,
      canRecord: false,
      ...device(number),
    };
    devices.set(number, opened);
    return opened;
  };
  return (block) => ({ device: open(deviceOf(block)), isResident: isResident(block) });
}
