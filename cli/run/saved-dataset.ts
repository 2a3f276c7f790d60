import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inLine } from '../../src/runtime/image/file-url.js';

const ARROW = /\.arrow$/i;

/** Whether a name is that of a table as `datasets` keeps it, which is not read. */
export const isArrowName = (name: string): boolean => ARROW.test(name);

/** What to type for a file of such a table. */
export const ofArrowFile = (file: string): string =>
  parquetOf(`from datasets import Dataset; Dataset.from_file`, file, file.replace(ARROW, ''));

/** What to type for a folder that `save_to_disk` wrote; of one with several splits, for its first. */
export async function ofSavedDataset(folder: string): Promise<string> {
  const saved = await readFile(join(folder, 'dataset_dict.json'), 'utf8').catch(() => null);
  const [, split] = /"splits"\s*:\s*\[\s*"([\w.-]+)"/.exec(saved ?? '') ?? [];
  const path = split === undefined ? folder : join(folder, split);
  return parquetOf('from datasets import load_from_disk; load_from_disk', path, path);
}

function parquetOf(reader: string, path: string, name: string): string {
  const quoted = (text: string): string => JSON.stringify(inLine(text)).replaceAll("'", `'\\''`);
  const table = `${name.replace(/\/+$/, '')}.parquet`;
  return `datasets makes a .parquet of it, which is read with --out: python -c '${reader}(${quoted(path)}).to_parquet(${quoted(table)})'`;
}
