import { mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './cli/command.js';

/** A new folder of a reader's, in which the built package is installed by its name. Outside the tree, which other tests list. */
export async function readersFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-reader-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(ROOT, join(folder, 'node_modules/blip2-device-map'), 'junction');
  return folder;
}
