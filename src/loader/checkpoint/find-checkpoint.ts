/** The checkpoint that a folder or a file of one is. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
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
  const names = await readdir(path);
  const below = names.some((name) => name.endsWith('.safetensors') || isIndex(name))
    ? []
    : await filesBelow(path, names);
  return { folder: path, ...pickWeights([...names, ...below], where) };
}

/** Looked at in search of weights; more are no folder of models. */
const MAX_FOLDERS = 200;

async function filesBelow(folder: string, names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    names.slice(0, MAX_FOLDERS).map(async (name) => {
      // Of a file, or of a folder of others, there is nothing to say.
      const files = await readdir(join(folder, name)).catch(() => []);
      return files.map((file) => `${name}/${file}`);
    }),
  );
  return found.flat();
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
      name === 'config.json' ? { hint: 'Give the folder that it lies in.' } : {},
    );
  }
  return { folder, ...pickFile(name, hasConfig) };
}
