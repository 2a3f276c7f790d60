/** The checkpoint that a folder or a file of one is. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { SafetensorsError } from '../format/safetensors-error.js';
import { isIndex, pickFile, pickWeights, type PickedWeights } from './pick-weights.js';

export interface FoundCheckpoint extends PickedWeights {
  /** Absolute. */
  readonly folder: string;
}

/**
 * @param where a folder, a `.safetensors` file or an index file.
 * @throws SafetensorsError `CHECKPOINT_NOT_FOUND`, `AMBIGUOUS_CHECKPOINT`.
 */
export async function findCheckpoint(where: string): Promise<FoundCheckpoint> {
  const path = resolve(where);
  const stats = await stat(path).catch((cause: unknown) => {
    throw new SafetensorsError('CHECKPOINT_NOT_FOUND', where, 'no such file or folder', { cause });
  });
  if (!stats.isDirectory()) return findBesideFile(path, where);
  return { folder: path, ...pickWeights(await readdir(path), where) };
}

async function findBesideFile(path: string, where: string): Promise<FoundCheckpoint> {
  const folder = dirname(path);
  const name = basename(path);
  const hasConfig = (await readdir(folder)).includes('config.json');
  if (name.endsWith('.json') && !isIndex(name)) {
    throw new SafetensorsError(
      'CHECKPOINT_NOT_FOUND',
      where,
      'is neither a .safetensors file nor a *.safetensors.index.json',
    );
  }
  return { folder, ...pickFile(name, hasConfig) };
}
