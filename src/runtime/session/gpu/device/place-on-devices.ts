import { Blip2Error } from '../../../../errors.js';
import { isRetrieval, type ModelConfig } from '../../../../model/blip2-config.js';
import type { Device } from '../../../../planner/map/device-map.js';
import type { DeviceOptions } from '../../../device/device-options.js';
import { tokenTableName } from '../../../graph/vocabulary.js';
import { HEAD, sharesTable } from './shared-head.js';

interface Placed<Opened> {
  readonly device: Opened;
  /** Whether weights stay there, or pass through on every run. */
  readonly isResident: boolean;
}

/**
 * Where each block runs. What a map puts on the CPU or disk streams through a GPU, or the CPU runs it where
 * `hostBlocks` says so. A head that shares the token table is where the table is.
 * @param places the device of every block
 * @param open a device by its number
 * @throws Blip2Error `GPU_NOT_IN_MAP` for a block that is to stream through a GPU that the map does not use
 */
export function placeOnDevices<Opened>(
  config: ModelConfig,
  tensors: ReadonlyMap<string, unknown>,
  places: ReadonlyMap<string, Device>,
  { hostBlocks = new Set(), streamGpus = new Map() }: Pick<DeviceOptions, 'hostBlocks' | 'streamGpus'>,
  open: (id: number | 'cpu') => Opened,
): (block: string) => Placed<Opened> {
  const gpus = [...new Set(places.values())].filter((device) => typeof device === 'number').sort((a, b) => a - b);
  const [main] = gpus;
  const table = isRetrieval(config) ? null : tokenTableName(config.text, tensors).replace(/\.weight$/, '');
  const place = (block: string): Placed<Opened> => {
    const home = places.get(block);
    if (typeof home === 'number') return { device: open(home), isResident: true };
    const shared = table !== null && block === HEAD && sharesTable(tensors) ? places.get(table) : undefined;
    if (typeof shared === 'number') return { device: open(shared), isResident: true };
    if (hostBlocks.has(block) || main === undefined) return { device: open('cpu'), isResident: true };
    const gpu = streamGpus.get(block) ?? main;
    if (!gpus.includes(gpu)) throw notInMap(block, gpu, gpus);
    return { device: open(gpu), isResident: false };
  };
  const known = new Map<string, Placed<Opened>>();
  return (block) => {
    const found = known.get(block) ?? place(block);
    known.set(block, found);
    return found;
  };
}

function notInMap(block: string, gpu: number, gpus: readonly number[]): Blip2Error {
  return new Blip2Error(
    'GPU_NOT_IN_MAP',
    `${block} is to pass through GPU ${gpu}; the map uses GPU ${gpus.join(', ')}`,
    {
      hint: 'Name a GPU that the device map uses.',
      details: { block, gpu, gpus },
    },
  );
}
