import { copyFile, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '../file/make-folder.js';
import { replaceFile } from '../write/replace-file.js';
import { withConfigDtype } from './config-dtype.js';

/** Configuration, tokenizer and templates; the largest tokenizer.json in use has 34 MB. */
export const SIDE_FILE = /\.(json|txt|model|jinja)$/;
/** Where they lie: the checkpoint's folder, and that of an InstructBLIP's second tokenizer. */
export const SIDE_FOLDERS: readonly string[] = ['', 'qformer_tokenizer'];
export const MAX_SIDE_FILE_BYTES = 100_000_000;

/**
 * Copies what a checkpoint needs beside its weights, so that the copy loads where the original did.
 * @param configDtype what config.json is to say; absent, it says what it said
 */
export async function copySideFiles(from: string, to: string, configDtype?: string): Promise<void> {
  for (const name of await sideFilesIn(from)) {
    await makeFolder(dirname(join(to, name)));
    if (name !== 'config.json' || configDtype === undefined) await copyFile(join(from, name), join(to, name));
    else await writeText(join(to, name), withConfigDtype(await readFile(join(from, name), 'utf8'), configDtype));
  }
}

async function sideFilesIn(checkpoint: string): Promise<string[]> {
  const names: string[] = [];
  for (const folder of SIDE_FOLDERS) {
    const inFolder = await readdir(join(checkpoint, folder)).catch((error: NodeJS.ErrnoException) => {
      if (folder !== '' && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
      throw error;
    });
    for (const name of inFolder) {
      if (!SIDE_FILE.test(name) || name.endsWith('.index.json') || name.startsWith('.')) continue;
      const found = await stat(join(checkpoint, folder, name));
      if (found.isFile() && found.size <= MAX_SIDE_FILE_BYTES) names.push(join(folder, name));
    }
  }
  return names;
}

export function writeText(path: string, text: string): Promise<void> {
  return replaceFile(path, async (handle) => {
    await handle.writeFile(text);
  });
}
