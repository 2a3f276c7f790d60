import { readdir, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { reasonOf } from '../../errors.js';
import { makeFolder } from '../file/make-folder.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { writeFailure } from '../file/write-failure.js';
import { replaceFile } from '../write/replace-file.js';
import { TemporaryFile } from '../write/temporary-file.js';
import { withConfigDtype } from './config-dtype.js';

/** Configuration, tokenizer, templates, and a model's own classes; the largest tokenizer.json in use has 34 MB. */
const SIDE_FILE = /^[^/]+\.(json|txt|model|jinja|py|tiktoken)$/;
/** Where else they lie: an InstructBLIP's second tokenizer, and templates as transformers 5 saves them. */
const SIDE_FOLDER = /^(qformer_tokenizer|additional_chat_templates)\//;
/** What sentence-transformers runs behind the model: pooling, and layers with weights of their own. */
const LATER_MODULE = /^\d+_[A-Z]\w*\/[^/]+\.(json|safetensors|bin)$/;
/** `model.safetensors.index.json`, `pytorch_model.bin.index.fp16.json`: it names files that the copy does not have. */
const INDEX = /\.index(\.[^.]+)?\.json$/;
/** One of these is in a folder that is a model's. In any other, a file of weights lies beside whatever people keep there. */
const OF_A_MODEL =
  /^(config|adapter_config|model_index|modules|params|(pre)?processor_config|tokenizer(_config)?)\.json$/;
export const MAX_SIDE_FILE_BYTES = 100_000_000;

/** @param name within its checkpoint, folders with "/" */
export function isSideFile(name: string): boolean {
  return SIDE_FILE.test(name.replace(SIDE_FOLDER, '')) || LATER_MODULE.test(name);
}

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
    throw new SafetensorsError('IO_ERROR', path, reasonOf(cause), { cause });
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

/** Names of those in a model's folder, with "/" after a folder; indexes of weights are none. */
export async function sideFilesIn(checkpoint: string): Promise<string[]> {
  const entries = await readdir(checkpoint);
  if (!entries.some((name) => OF_A_MODEL.test(name))) return [];
  const folders = entries.filter((name) => isSideFile(`${name}/config.json`));
  const below = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(checkpoint, folder)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
        throw error;
      });
      return names.map((name) => `${folder}/${name}`);
    }),
  );
  const names: string[] = [];
  for (const name of [...entries, ...below.flat()]) {
    const [base = ''] = name.split('/').toReversed();
    if (!isSideFile(name) || INDEX.test(base) || base.startsWith('.')) continue;
    const path = join(checkpoint, name);
    const found = await readingOf(path, stat(path));
    if (found.isFile() && found.size <= MAX_SIDE_FILE_BYTES) names.push(name);
  }
  return names;
}

export function writeText(path: string, text: string): Promise<void> {
  return replaceFile(path, async (handle) => {
    await handle.writeFile(text);
  });
}
