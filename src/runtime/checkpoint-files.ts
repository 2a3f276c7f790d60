import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '../errors.js';
import { parsePreprocessorConfig, type PreprocessorConfig } from './image/preprocessor-config.js';
import { createTokenizer, type TextTokenizer } from './text/tokenizer.js';

/** What stands beside the weights: how pictures become pixels, and text ids. */
export interface CheckpointFiles {
  readonly preprocessor: PreprocessorConfig;
  readonly tokenizer: TextTokenizer;
}

/** @throws Blip2Error `CHECKPOINT_FILE_MISSING`, `CHECKPOINT_FILE_INVALID`, `CONFIG_INVALID`, `TOKENIZER_INVALID`. */
export async function readCheckpointFiles(folder: string): Promise<CheckpointFiles> {
  const [preprocessor, tokenizer, tokenizerConfig] = await Promise.all([
    readJson(folder, 'preprocessor_config.json'),
    readJson(folder, 'tokenizer.json'),
    readJson(folder, 'tokenizer_config.json'),
  ]);
  return {
    preprocessor: parsePreprocessorConfig(preprocessor),
    tokenizer: createTokenizer(tokenizer, tokenizerConfig),
  };
}

async function readJson(folder: string, name: string): Promise<unknown> {
  const path = join(folder, name);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new Blip2Error('CHECKPOINT_FILE_MISSING', `${path} cannot be read`, {
      hint: `Download ${name} from the repository that the weights come from and put it beside them.`,
      details: { path },
      cause,
    });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Blip2Error('CHECKPOINT_FILE_INVALID', `${path} is not JSON: ${reason}`, { details: { path }, cause });
  }
}
