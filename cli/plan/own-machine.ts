import type { GpuProvider } from '../../src/planner/plan/gpu-provider.js';
import type { MachineProfile } from '../../src/planner/price/device-profile.js';
import { defaultCacheFolder } from '../../src/runtime/cache-folder.js';

/**
 * The speeds of this machine where a plan can be for it, on the CPU alone or CUDA: as measured in a blink, now where that was
 * never done.
 * @param gpus numbers of the plan's GPUs
 * @returns null where the plan wants cards that this machine has not: it is for another
 */
export async function ownMachine(gpus: readonly number[], provider: GpuProvider): Promise<MachineProfile | null> {
  if (gpus.length > 0 && provider !== 'cuda') return null;
  // Only here, because it loads native libraries.
  const { thisMachine, hasCards } = await import('../../src/runtime/calibrate/this-machine.js');
  if (!hasCards(gpus)) return null;
  return thisMachine({ gpus, provider }, { cacheFolder: defaultCacheFolder() });
}
