import { join } from 'node:path';
import * as z from 'zod';
import { Blip2Error } from '../../errors.js';
import { readSmallFile } from '../../loader/file/read-small-file.js';
import { MAX_SIDE_FILE_BYTES } from '../../loader/shard/side-files.js';
import { isRetrieval, type ModelConfig } from '../../model/blip2-config.js';
import { parsePreprocessorConfig, type PreprocessorConfig } from '../image/preprocessor-config.js';
import { readsOlderFiles } from './text/older-files.js';
import { createTokenizer, type FileTokenizer, type TextTokenizer } from './text/tokenizer.js';

/** How text becomes ids, and ids text. */
export interface Tokenizers {
  readonly tokenizer: TextTokenizer;
  /** Of the Q-Former, in an InstructBLIP. */
  readonly wordTokenizer: TextTokenizer | null;
}

/** What stands beside the weights. */
export interface CheckpointFiles {
  /** How pictures become pixels. */
  readonly preprocessor: PreprocessorConfig;
  /**
   * Made of their files once, which takes a tenth of a second or two, when the caller has time.
   * @throws Blip2Error `TOKENIZER_INVALID`
   */
  readonly tokenizers: () => Tokenizers;
}

/** @throws Blip2Error `CHECKPOINT_FILE_MISSING`, `CONFIG_INVALID`, `CONFIG_MISMATCH` */
export async function readCheckpointFiles(folder: string, config: ModelConfig): Promise<CheckpointFiles> {
  const instructs = config.qformer.text !== null && !isRetrieval(config);
  const [preprocessor, tokenizer, wordTokenizer] = await Promise.all([
    readPictureSettings(folder),
    readTokenizer(folder, [PLACEHOLDER]),
    instructs ? readTokenizer(folder, [], 'qformer_tokenizer/') : null,
    refuseAdapter(folder),
    refuseOtherQueries(folder, config),
  ]);
  let made: Tokenizers | undefined;
  return {
    preprocessor,
    tokenizers: () => (made ??= tokenizersOf(tokenizer(), wordTokenizer?.() ?? null, config)),
  };
}

/** @throws Blip2Error `CONFIG_INVALID` where transformers, beside PEFT, would load more than the model */
async function refuseAdapter(folder: string): Promise<void> {
  const name = 'adapter_config.json';
  if ((await readJsonIfThere(folder, name)) === undefined) return;
  throw new Blip2Error(
    'CONFIG_INVALID',
    `${join(folder, name)}: adapters are not applied here, and the model was meant with one`,
    {
      hint: `Merge it into the model with PEFT (merge_and_unload) and save that. For the model without it, take ${name} away.`,
    },
  );
}

const queriesSchema = z.looseObject({ num_query_tokens: z.number() });

/** @throws Blip2Error `CONFIG_MISMATCH` where the places that transformers makes for a picture are others than the model takes */
async function refuseOtherQueries(folder: string, config: ModelConfig): Promise<void> {
  const { numQueryTokens } = config;
  const { success, data } = queriesSchema.safeParse(await readJsonIfThere(folder, PROCESSOR));
  if (!success) return;
  const refuse = (what: string): never => {
    throw new Blip2Error(
      'CONFIG_MISMATCH',
      `${join(folder, PROCESSOR)} makes ${data.num_query_tokens} places for a picture, and ${what}`,
      { hint: `Take ${PROCESSOR} and config.json from the repository that the weights come from.` },
    );
  };
  if (data.num_query_tokens !== numQueryTokens) refuse(`the model fills ${numQueryTokens}`);
  // Without that id a model that compares reads them as words of the text.
  if (isRetrieval(config) && config.imageTokenId === null) refuse('config.json has no image_token_index');
}

/** transformers 5 writes what is under `image_processor`; files from before it have none. */
const PROCESSOR = 'processor_config.json';
const PREPROCESSOR = 'preprocessor_config.json';
const processorSchema = z.looseObject({ image_processor: z.unknown().optional() });

/**
 * How pictures become pixels, looked for as transformers 5 does: in processor_config.json, and in preprocessor_config.json
 * only where the first says nothing about pictures.
 * @throws Blip2Error `CHECKPOINT_FILE_MISSING`, `CONFIG_INVALID`
 */
export async function readPictureSettings(folder: string): Promise<PreprocessorConfig> {
  const processor = await readJsonIfThere(folder, PROCESSOR);
  if (processor !== undefined) {
    const { success, data } = processorSchema.safeParse(processor);
    if (!success) throw new Blip2Error('CONFIG_INVALID', `${join(folder, PROCESSOR)} is not an object`);
    const nested = data.image_processor;
    if (nested !== undefined && nested !== null) return parsePreprocessorConfig(nested, PROCESSOR);
  }
  const own = await readJsonIfThere(folder, PREPROCESSOR);
  if (own !== undefined) return parsePreprocessorConfig(own, PREPROCESSOR);
  throw new Blip2Error(
    'CHECKPOINT_FILE_MISSING',
    `${folder} does not say how pictures are prepared: it has no ${PREPROCESSOR}, and no ${PROCESSOR} with image_processor`,
    {
      hint: `Download ${PREPROCESSOR} and ${PROCESSOR}, whichever there are, from the repository that the weights come from and put them beside them.`,
      details: { path: join(folder, PREPROCESSOR) },
    },
  );
}

/** What BLIP-2's processor adds to its tokenizer. */
const PLACEHOLDER = '<image>';

/**
 * The tokenizer of prompts alone.
 * @returns what makes it, and throws Blip2Error `TOKENIZER_INVALID`
 * @throws Blip2Error `CHECKPOINT_FILE_MISSING`, `CONFIG_INVALID`
 */
export async function readPromptTokenizer(folder: string, config: ModelConfig): Promise<() => TextTokenizer> {
  const tokenizer = await readTokenizer(folder, [PLACEHOLDER]);
  return () => besidePicture(tokenizer(), config);
}

function tokenizersOf(tokenizer: FileTokenizer, words: FileTokenizer | null, config: ModelConfig): Tokenizers {
  // InstructBLIP's processor has both cut by the files of the first.
  return { tokenizer: besidePicture(tokenizer, config), wordTokenizer: words?.within(tokenizer.mostIds) ?? null };
}

/** The picture's places come in front of what is left of a text that was cut, and count. */
function besidePicture(tokenizer: FileTokenizer, config: ModelConfig): TextTokenizer {
  const { numQueryTokens, imageTokenId } = config;
  const { mostIds } = tokenizer;
  if (mostIds !== null && mostIds < numQueryTokens)
    return withoutPrompts(
      tokenizer,
      `the tokenizer's files cut texts to ${mostIds} tokens, and the picture alone takes ${numQueryTokens}`,
      'With "max_length": null in tokenizer_config.json no text is cut.',
    );
  // transformers finds the picture's places by the one id and makes them with the other.
  if (!isRetrieval(config) && imageTokenId !== null && !tokenizer.encode(PLACEHOLDER).includes(imageTokenId))
    return withoutPrompts(
      tokenizer,
      `config.json has ${imageTokenId} as image_token_index, and the tokenizer another id for "${PLACEHOLDER}": beside a prompt transformers sees no picture`,
      'Take config.json and the tokenizer from one repository.',
    );
  return tokenizer.within(mostIds === null ? null : mostIds - numQueryTokens);
}

/** Captions without a prompt need ids in one direction alone. */
function withoutPrompts(tokenizer: FileTokenizer, why: string, hint: string): TextTokenizer {
  return {
    ...tokenizer,
    encode: () => {
      throw new Blip2Error('TOKENIZER_INVALID', why, { hint });
    },
  };
}

/** @param prefix of the tokenizer's files: the language model's have none */
async function readTokenizer(folder: string, added: readonly string[], prefix = ''): Promise<() => FileTokenizer> {
  const [tokenizer, tokenizerConfig] = await Promise.all([
    readJson(folder, `${prefix}tokenizer.json`),
    readJson(folder, `${prefix}tokenizer_config.json`),
  ]);
  if (!readsOlderFiles(tokenizerConfig)) return () => createTokenizer(tokenizer, tokenizerConfig, added);
  const [names, contents] = await Promise.all([
    readJsonIfThere(folder, `${prefix}special_tokens_map.json`),
    readJsonIfThere(folder, `${prefix}added_tokens.json`),
  ]);
  return () => createTokenizer(tokenizer, tokenizerConfig, added, { names, added: contents });
}

/** undefined where there is no such file. */
async function readJsonIfThere(folder: string, name: string): Promise<unknown> {
  return readJson(folder, name).catch((error: unknown) => {
    if (error instanceof Blip2Error && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
      return undefined;
    throw error;
  });
}

/** Repositories of 2023 may have the files of a slow tokenizer alone. */
const written = (name: string): string =>
  name.endsWith('tokenizer.json')
    ? ' Where that has only vocab.json or a .model file, transformers writes it: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER).'
    : '';

/** A filter with a point: to JSON it is the whole number, to transformers none of its filters, in whose place it takes the bilinear one. */
const FLOAT_FILTER = /("resample"\s*:\s*)(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?<=[.eE][+\d-]*)/g;

async function readJson(folder: string, name: string): Promise<unknown> {
  const path = join(folder, name);
  let text: string;
  try {
    text = (await readSmallFile(path, MAX_SIDE_FILE_BYTES)).toString();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Blip2Error('CHECKPOINT_FILE_MISSING', `${path} cannot be read: ${reason}`, {
      hint: `Download ${name} from the repository that the weights come from and put it beside them.${written(name)}`,
      details: { path },
      cause,
    });
  }
  try {
    return JSON.parse(text.replace(FLOAT_FILTER, '$1"$2"')) as unknown;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Blip2Error('CONFIG_INVALID', `${path} is not JSON: ${reason}`, { details: { path }, cause });
  }
}
