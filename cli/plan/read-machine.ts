import { existsSync } from 'node:fs';
import { type Budgets, type FoundCard, type MachineProfile, UNKNOWN_HOST } from '../../src/planner/index.js';
import type { GpuProvider } from '../../src/planner/plan/request/plan-options.js';
import { defaultCacheFolder } from '../../src/runtime/device/cache-folder.js';
import { machineProfile, wantsEstimates } from '../common/machine-profile.js';
import { usageError } from '../common/main.js';
import type { RequestArgs } from './request-flags.js';

/** What is there wherever CUDA's driver is, the second under Windows: looking costs nothing, and loading the driver does. */
const DRIVER_FILES = ['/dev/nvidiactl', '/dev/dxg'];

/**
 * The speeds of the cards that are named, of a profile, or of this machine; null for estimates of an unknown one.
 * @throws Blip2Error `USAGE` for cards and a profile at once; what `machineProfile` throws
 */
export async function readMachine(
  { profile, provider }: Pick<RequestArgs, 'profile' | 'provider'>,
  cards: readonly FoundCard[],
  { gpus }: Budgets,
): Promise<MachineProfile | null> {
  if (profile !== undefined && profile !== 'none' && cards.length > 0) {
    throw usageError('--profile and --gpu both say how fast the GPUs are');
  }
  const measured = await machineProfile(profile);
  if (cards.length > 0) return { gpus: cards.map((card) => card.profile), host: measured?.host ?? UNKNOWN_HOST };
  return measured ?? (wantsEstimates(profile) ? null : ownMachine([...gpus.keys()], provider));
}

/**
 * The speeds of this machine where a plan can be for it, on the CPU alone or CUDA: as measured in a blink, now where that was
 * never done.
 * @param gpus numbers of the plan's GPUs
 * @returns null where the plan wants cards that this machine has not: it is for another
 */
async function ownMachine(gpus: readonly number[], provider: GpuProvider): Promise<MachineProfile | null> {
  if (gpus.length > 0 && (provider !== 'cuda' || !DRIVER_FILES.some((file) => existsSync(file)))) return null;
  // Only here, because it loads native libraries.
  const { thisMachine, hasCards } = await import('../../src/runtime/calibrate/this-machine.js');
  if (!hasCards(gpus)) return null;
  return thisMachine({ gpus, provider }, { cacheFolder: defaultCacheFolder() });
}
