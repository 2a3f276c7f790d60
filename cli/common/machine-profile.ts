import { type MachineProfile, parseMachineProfile } from '../../src/planner/index.js';
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
  if (choice === undefined || choice === '') return readMachineFile(defaultCacheFolder());
  return parseMachineProfile(await readJson(choice));
}
