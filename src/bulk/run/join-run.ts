import { isAbsolute } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { exists } from '../../loader/file/exists.js';
import type { InputPicture } from '../inputs/input-picture.js';
import { isElsewhere } from '../inputs/picture-address.js';
import { InputList } from './input-list.js';
import { readRunFile, refuseOtherSettings, runKey, type RunSettings } from './run-file.js';
import type { RunFolder } from './run-folder.js';

export interface JoinOptions {
  readonly settings: RunSettings;
  readonly shardSize: number;
  /** Called for each picture of the run, in order. */
  readonly onPicture: (picture: InputPicture) => void;
}

/**
 * The pictures of a run that another process has split into shards.
 * @throws Blip2Error `RUN_MISSING`, `RUN_DIFFERS`, `RUN_INVALID`; `INPUT_ELSEWHERE` where this machine does not see its pictures
 */
export async function joinRun(folder: RunFolder, options: JoinOptions): Promise<InputList> {
  const { settings, shardSize, onPicture } = options;
  const known = await readRunFile(folder);
  if (known === null) {
    throw new Blip2Error('RUN_MISSING', `${folder.name} holds no run`, {
      hint: 'Give the --out of blip2-run queue add, and see that this machine has that folder.',
    });
  }
  refuseOtherSettings(folder, known.settings, settings);
  let first: InputPicture | undefined;
  await folder.fetchInputList();
  const list = await InputList.open(folder.inputList, shardSize, (picture) => {
    first ??= picture;
    onPicture(picture);
  });
  if (list.hash !== known.inputs) {
    throw new Blip2Error('RUN_INVALID', `the list of pictures in ${folder.name} is not the run's`, {
      hint: 'Add the run again, or give another folder.',
    });
  }
  folder.nameBy(runKey({ settings, list }));
  if (first !== undefined) await checkVisible(first);
  return list;
}

/** Else each picture would become a record that says it is missing. */
async function checkVisible(picture: InputPicture): Promise<void> {
  const source =
    'tar' in picture ? picture.tar : 'parquet' in picture ? picture.parquet : (picture.path ?? picture.name);
  const path = isElsewhere(source) ? null : source;
  if (path === null || (await exists(path))) return;
  const hint = isAbsolute(path)
    ? 'Mount what holds the pictures under the same path.'
    : 'Start workers in the folder that the run was added from, or add it with absolute paths.';
  throw new Blip2Error('INPUT_ELSEWHERE', `the first picture of the run is not here: ${path}`, { hint });
}
