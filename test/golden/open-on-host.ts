/** The device programs on the CPU, whose memory stands in for a GPU's: same units, same copies, same caches. */
import type { StoredTensor } from '../../src/loader/checkpoint/checkpoint.js';
import type { Blip2Config } from '../../src/model/blip2-config.js';
import { pictureGrid } from '../../src/runtime/graph/picture-grid.js';
import { HostMemory } from '../../src/runtime/provider/memory/host-memory.js';
import { GpuModel, type GpuModelSources } from '../../src/runtime/provider/engine/gpu-model.js';

export async function openOnHost(
  config: Blip2Config,
  tensors: ReadonlyMap<string, StoredTensor>,
  isResident: (block: string) => boolean,
  device: Partial<GpuModelSources> = {},
): Promise<GpuModel> {
  return GpuModel.open({
    config,
    tensors,
    picture: await pictureGrid(config.vision, undefined, () => Promise.reject(new Error('no other size'))),
    isResident,
    memory: new HostMemory(),
    float: 'F32',
    sessionOptions: () => ({ threads: 1 }),
    canRecord: false,
    ...device,
  });
}
