import { dirname, parse, relative, resolve } from 'node:path';
import { Blip2Error } from '../../errors.js';

/**
 * The deepest folder that all files lie under. ONNX Runtime resolves external data against one folder and refuses a path
 * that leaves it, so files are given with symbolic links resolved.
 * @throws Blip2Error `FILES_ON_SEVERAL_DRIVES` where no folder holds them all.
 */
export function commonFolder(files: Iterable<string>): string {
  let folder: string | undefined;
  for (const file of files) {
    folder ??= dirname(file);
    while (relative(folder, file).startsWith('..') || parse(relative(folder, file)).root !== '') {
      const parent = dirname(folder);
      if (parent === folder) {
        throw new Blip2Error('FILES_ON_SEVERAL_DRIVES', `no folder holds both ${folder} and ${file}`, {
          hint: 'Put the checkpoint and its converted files on one drive.',
        });
      }
      folder = parent;
    }
  }
  return folder ?? resolve('.');
}
