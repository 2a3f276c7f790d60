import { readdir, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '../file/make-folder.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { writeFailure } from '../file/write-failure.js';
import { replaceFile } from '../write/replace-file.js';
import { TemporaryFile } from '../write/temporary-file.js';
import { withConfigDtype } from './config-dtype.js';

/** Configuration, tokenizer, templates, and a model's own classes; the largest tokenizer.json in use has 34 MB. */
export const SIDE_FILE = /\.(json|txt|model|jinja|py|tiktoken)$/;
/** Where they lie: the checkpoint's folder, an InstructBLIP's second tokenizer, and templates as transformers 5 saves them. */
export const SIDE_FOLDERS: readonly string[] = ['', 'qformer_tokenizer', 'additional_chat_templates'];
/** `model.safetensors.index.json`, `pytorch_model.bin.index.fp16.json`: it names files that the copy does not have. */
const INDEX = /\.index(\.[^.]+)?\.json$/;
export const MAX_SIDE_FILE_BYTES = 100_000_000;

/**
 * Copies what a checkpoint needs beside its weights, so that the copy loads where the original did.
 * @param configDtype what config.json is to say; absent, it says what it said
 */
export async function copySideFiles(from: string, to: string, configDtype?: string): Promise<void> {
  for (const name of await sideFilesIn(from)) {
    const bytes = await readingOf(join(from, name), readFile(join(from, name)));
    const changes = name === 'config.json' && configDtype !== undefined;
    await makeFolder(dirname(join(to, name)));
    await placeSideFile(join(to, name), changes ? withConfigDtype(bytes.toString(), configDtype) : bytes);
  }
}

/** @throws SafetensorsError `IO_ERROR` for what `reading` throws */
async function readingOf<T>(path: string, reading: Promise<T>): Promise<T> {
  return reading.catch((cause: unknown) => {
    throw new SafetensorsError('IO_ERROR', path, cause instanceof Error ? cause.message : String(cause), { cause });
  });
}

/** Under a name that may be a link already, to the checkpoint that is read: the link gives way, and what it leads to stays. */
async function placeSideFile(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await using temporary = await TemporaryFile.beside(path);
    await temporary.handle.writeFile(content);
    await temporary.finish();
    await rename(temporary.path, path);
  } catch (error) {
    throw writeFailure(path, error);
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
      if (!SIDE_FILE.test(name) || INDEX.test(name) || name.startsWith('.')) continue;
      const path = join(checkpoint, folder, name);
      const found = await readingOf(path, stat(path));
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
