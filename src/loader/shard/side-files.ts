import { copyFile, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../write/replace-file.js';
import { withConfigDtype, type ConfigDtype } from './config-dtype.js';

/** Configuration, tokenizer and templates; the largest tokenizer.json in use has 34 MB. */
const SIDE_FILE = /\.(json|txt|model|jinja)$/;
const MAX_SIDE_FILE_BYTES = 100_000_000;

/**
 * Copies what a checkpoint needs beside its weights, so that the copy loads where the original did.
 * @param configDtype what config.json is to say; absent, it says what it said
 */
export async function copySideFiles(from: string, to: string, configDtype?: ConfigDtype): Promise<void> {
  for (const name of await readdir(from)) {
    if (!SIDE_FILE.test(name) || name.endsWith('.index.json') || name.startsWith('.')) continue;
    const found = await stat(join(from, name));
    if (!found.isFile() || found.size > MAX_SIDE_FILE_BYTES) continue;
    if (name !== 'config.json' || configDtype === undefined) await copyFile(join(from, name), join(to, name));
    else await writeText(join(to, name), withConfigDtype(await readFile(join(from, name), 'utf8'), configDtype));
  }
}

export function writeText(path: string, text: string): Promise<void> {
  return replaceFile(path, async (handle) => {
    await handle.writeFile(text);
  });
}
