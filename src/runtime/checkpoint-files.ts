import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '../errors.js';
import { isRetrieval, type ModelConfig } from '../model/blip2-config.js';
import { parsePreprocessorConfig, type PreprocessorConfig } from './image/preprocessor-config.js';
import { createTokenizer, type TextTokenizer } from './text/tokenizer.js';

/** What stands beside the weights: how pictures become pixels, and text ids. */
export interface CheckpointFiles {
  readonly preprocessor: PreprocessorConfig;
  readonly tokenizer: TextTokenizer;
  /** Of the Q-Former, in an InstructBLIP. */
  readonly wordTokenizer: TextTokenizer | null;
}

/** @throws Blip2Error `CHECKPOINT_FILE_MISSING`, `CHECKPOINT_FILE_INVALID`, `CONFIG_INVALID`, `TOKENIZER_INVALID`. */
export async function readCheckpointFiles(folder: string, config: ModelConfig): Promise<CheckpointFiles> {
  const instructs = config.qformer.text !== null && !isRetrieval(config);
  const [preprocessor, tokenizer, wordTokenizer] = await Promise.all([
    readJson(folder, 'preprocessor_config.json'),
    readTokenizer(folder),
    instructs ? readTokenizer(folder, 'qformer_tokenizer/') : null,
  ]);
  return { preprocessor: parsePreprocessorConfig(preprocessor), tokenizer, wordTokenizer };
}

/**
 * @param prefix of the tokenizer's files: the language model's have none
 * @throws Blip2Error `CHECKPOINT_FILE_MISSING`, `CHECKPOINT_FILE_INVALID`, `TOKENIZER_INVALID`
 */
export async function readTokenizer(folder: string, prefix = ''): Promise<TextTokenizer> {
  const [tokenizer, tokenizerConfig] = await Promise.all([
    readJson(folder, `${prefix}tokenizer.json`),
    readJson(folder, `${prefix}tokenizer_config.json`),
  ]);
  return createTokenizer(tokenizer, tokenizerConfig);
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
