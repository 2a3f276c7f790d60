/** The machine profile that calibration leaves behind, and that plans on this machine then use. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { makeFolder } from '../../loader/file/make-folder.js';
import { replaceFile } from '../../loader/write/replace-file.js';
import { parseMachineProfile, type MachineProfile } from '../../planner/price/device-profile.js';

const NAME = 'machine.json';

/** Returns the file's path. */
export async function writeMachineFile(profile: MachineProfile, cacheFolder: string): Promise<string> {
  const file = join(cacheFolder, NAME);
  await makeFolder(cacheFolder);
  await replaceFile(file, (handle) => handle.writeFile(`${JSON.stringify(profile, null, 2)}\n`));
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
      hint: 'Run blip2-plan calibrate again, or remove the file.',
      cause,
    });
  }
}
