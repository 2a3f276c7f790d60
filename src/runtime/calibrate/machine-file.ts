/** The machine profile that calibration leaves behind, and that plans on this machine then use. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { parseMachineProfile, type MachineProfile } from '../../planner/price/device-profile.js';

const NAME = 'machine.json';

/** Returns the file's path. */
export async function writeMachineFile(profile: MachineProfile, cacheFolder: string): Promise<string> {
  const file = join(cacheFolder, NAME);
  await mkdir(cacheFolder, { recursive: true });
  const unfinished = `${file}.${process.pid}.tmp`;
  await writeFile(unfinished, `${JSON.stringify(profile, null, 2)}\n`);
  await rename(unfinished, file);
  return file;
}

/**
 * What calibration measured here, or null where it was never run.
 * @throws Blip2Error `PROFILE_INVALID` where the file is no machine profile
 */
export async function readMachineFile(cacheFolder: string): Promise<MachineProfile | null> {
  const file = join(cacheFolder, NAME);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return null;
  }
  try {
    return parseMachineProfile(JSON.parse(text));
  } catch (cause) {
    throw new Blip2Error('PROFILE_INVALID', `${file} is not a machine profile`, {
      hint: 'Run blip2-plan --calibrate again, or plan with --profile none.',
      cause,
    });
  }
}
