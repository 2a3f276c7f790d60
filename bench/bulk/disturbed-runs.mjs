/** What runs that are disturbed start from, and how their files are compared. */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const MODEL = fileURLToPath(new URL('../../models/demo', import.meta.url));
export const COMMAND = fileURLToPath(new URL('../../dist/cli/blip2-run.js', import.meta.url));
export const FORMATS = ['jsonl', 'parquet', 'txt', 'webdataset'];

const inOrder = (names) => names.sort((a, b) => (a < b ? -1 : 1));

/**
 * Writes a list of copies of the demo's pictures, one of which is not there.
 * @returns its path, and the paths in it
 */
export async function writePictureList(folder, { pictures, missing }) {
  const names = inOrder(await readdir(join(MODEL, 'pictures')));
  await mkdir(join(folder, 'pictures'));
  const rows = Array.from({ length: pictures }, (_, index) => ({
    name: names[index % names.length],
    path: `pictures/${index}-${names[index % names.length]}`,
  }));
  for (const [index, { name, path }] of rows.entries()) {
    if (index !== missing) await copyFile(join(MODEL, 'pictures', name), join(folder, path));
  }
  const list = join(folder, 'list.jsonl');
  await writeFile(list, rows.map(({ path }) => JSON.stringify({ path })).join('\n'));
  return { list, paths: rows.map(({ path }) => path) };
}

/** A line with the hash and the path of each file below a folder. @param except name of files that may differ */
export async function hashesIn(folder, except) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== except);
  const lines = [];
  for (const path of inOrder(files.map(({ parentPath, name }) => join(parentPath, name)))) {
    const hash = createHash('sha256').update(await readFile(path));
    lines.push(`${hash.digest('hex')}  ${path.slice(folder.length + 1)}`);
  }
  return lines.join('\n');
}
