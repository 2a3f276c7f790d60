import { type MachineProfile, parseMachineProfile, UNKNOWN_GPU } from '../../src/planner/index.js';
import { defaultCacheFolder } from '../../src/runtime/device/cache-folder.js';
import { readMachineFile } from '../../src/runtime/calibrate/machine-file.js';
import { readJson } from './read-json.js';

/** What `--profile` and the environment's `BLIP2_PROFILE` take to mean estimates, whatever was measured. */
const NONE = 'none';

/** Whether estimates are asked for, whatever was measured. */
export function wantsEstimates(flag?: string): boolean {
  return (flag ?? process.env['BLIP2_PROFILE']) === NONE;
}

/**
 * The speeds of this machine: those of a file, else those that `blip2-plan calibrate` left behind, else null for estimates.
 * @throws Blip2Error `FILE_INVALID` where the file cannot be read or is no JSON, `PROFILE_INVALID` where it is no profile
 */
export async function machineProfile(flag: string | undefined): Promise<MachineProfile | null> {
  if (wantsEstimates(flag)) return null;
  const choice = flag ?? process.env['BLIP2_PROFILE'];
  if (choice === undefined || choice === '') return withCard(await readMachineFile(defaultCacheFolder()));
  return withCard(parseMachineProfile(await readJson(choice)));
}

/** A machine without a card still plans for one: the stated estimate stands for it. */
function withCard(profile: MachineProfile | null): MachineProfile | null {
  return profile === null || profile.gpus.length > 0 ? profile : { ...profile, gpus: [UNKNOWN_GPU] };
}
