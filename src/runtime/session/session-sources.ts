import { Blip2Error } from '../../errors.js';
import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import type { Blip2Config } from '../../model/blip2-config.js';
import { blip2Blocks } from '../../model/blocks.js';
import type { Device } from '../../planner/map/device-map.js';
import type { CaptionerOptions } from '../captioner-options.js';
import type { SessionSources } from './start-program.js';
import { cpuOptions } from './cpu-options.js';
import { placeBlocks } from './place-blocks.js';

/** Where sessions run: the host, or a GPU of the map by its number. Disk is the host too: its weights are mapped. */
type SessionDevice = 'cpu' | number;

/** @throws Blip2Error `MAP_UNCOVERED`, `MAP_BLOCK_CUT`, `GPU_MISSING`, `TENSOR_NOT_FLOAT32`. */
export function sessionSources(
  config: Blip2Config,
  { tensors }: Checkpoint,
  { deviceMap, emulateGpu = false, threads }: CaptionerOptions,
): SessionSources<SessionDevice> {
  const places = placeBlocks(blip2Blocks(config), deviceMap ?? new Map<string, Device>([['', 'cpu']]));
  const gpus = [...new Set(places.values())].filter((device) => typeof device === 'number');
  if (gpus.length > 0 && !emulateGpu) {
    throw new Blip2Error('GPU_MISSING', `the device map uses GPU ${gpus.join(', ')}, and no GPU can be used here`, {
      hint: 'Plan for the CPU alone, or run each GPU of the map as a CPU session of its own with --emulate-gpu.',
      details: { gpus },
    });
  }
  for (const [name, { dtype }] of tensors) {
    if (dtype !== 'F32') {
      throw new Blip2Error('TENSOR_NOT_FLOAT32', `tensor ${name} is ${dtype}; the CPU computes in float32`, {
        hint: 'Convert the checkpoint to float32 first.',
        details: { tensor: name, dtype },
      });
    }
  }
  return {
    config,
    tensors,
    placeOf: ({ name }) => {
      const device = places.get(name);
      return typeof device === 'number' ? device : 'cpu';
    },
    optionsOf: (_, folder) => cpuOptions(folder, threads === undefined ? {} : { threads }),
  };
}
