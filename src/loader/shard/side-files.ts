import { copyFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Configuration, tokenizer and templates; the largest tokenizer.json in use has 34 MB. */
const SIDE_FILE = /\.(json|txt|model|jinja)$/;
const MAX_SIDE_FILE_BYTES = 100_000_000;

/** Copies what a checkpoint needs beside its weights, so that the copy loads where the original did. */
export async function copySideFiles(from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) {
    if (!SIDE_FILE.test(name) || name.endsWith('.index.json') || name.startsWith('.')) continue;
    const found = await stat(join(from, name));
    if (found.isFile() && found.size <= MAX_SIDE_FILE_BYTES) await copyFile(join(from, name), join(to, name));
  }
}
