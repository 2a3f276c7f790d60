import type { Checkpoint } from '../../../../loader/checkpoint/checkpoint.js';
import type { Blip2Config } from '../../../../model/blip2-config.js';
import { blip2Blocks } from '../../../../model/blocks.js';
import { modulesBesideBlocks } from '../../../../model/modules-beside-blocks.js';
import type { DeviceOptions } from '../../../device/device-options.js';
import { DriverThread } from '../../../device/memory/driver-thread.js';
import { placeBlocks } from '../../place-blocks.js';
import { computingBlocks } from '../device/computed-dtypes.js';
import { placeOnDevices } from '../device/place-on-devices.js';
import { WeightFiles } from './weight-files.js';

/**
 * Has a thread lock the pages of what a placement copies to CUDA cards, before devices are open: where weights are float16, as cards
 * compute, and none is quantised. Their files are what an engine reads.
 * @returns null where that is not so, no thread was started for a card, or something fails: whoever opens the model finds it again and says it
 */
export async function lockAhead(
  config: Blip2Config,
  { tensors }: Pick<Checkpoint, 'tensors'>,
  options: Pick<DeviceOptions, 'deviceMap' | 'hostBlocks' | 'streamGpus' | 'quant'>,
): Promise<WeightFiles | null> {
  const { deviceMap, quant } = options;
  const stored = [...tensors];
  if (deviceMap === undefined || (quant?.size ?? 0) > 0 || stored.some(([, { dtype }]) => dtype !== 'F16')) return null;
  try {
    const places = placeBlocks(blip2Blocks(config), deviceMap, modulesBesideBlocks(config));
    const [card] = [...places.values()].filter((device) => typeof device === 'number').toSorted((a, b) => a - b);
    const thread = card === undefined ? undefined : DriverThread.of(card);
    if (thread === undefined) return null;
    const blockOf = computingBlocks(config, tensors);
    const placeOf = placeOnDevices(config, tensors, places, options, (id) => id);
    const copied = stored.flatMap(([name, tensor]) => {
      const block = blockOf(name);
      return block === undefined || placeOf(block).device === 'cpu' ? [] : [tensor];
    });
    const files = await WeightFiles.open(copied);
    files.lock(copied, thread);
    return files;
  } catch {
    return null;
  }
}
