import { stat } from 'node:fs/promises';
import type { Argv } from 'yargs';
import { CONTAINER_NAME } from '../../src/bulk/inputs/picture-name.js';
import type { Slice } from '../../src/bulk/run/run-lock.js';
import { usageError } from '../common/main.js';
import { wholeNumber } from '../common/parser.js';
import { type ArgsOf, switchFlag, textFlag } from '../common/flags.js';

export const FORMATS = ['jsonl', 'txt', 'metadata', 'webdataset', 'parquet'] as const;
const EXISTING = ['skip', 'overwrite', 'append'] as const;
const DEFAULT_SHARD_SIZE = 1000;

const text = (describe: string) => textFlag('Bulk:', describe);
const yes = (describe: string) => switchFlag('Bulk:', describe);

/** For every command that runs models. */
export const workersFlag = {
  ...text(
    'models at once, a process each: a number, or auto for one per GPU (or per group of as many as the plan uses)',
  ),
  coerce: workers,
};

const FLAGS = {
  out: text('folder that the captions are written into, shard by shard; a run that was stopped goes on where it was'),
  format: {
    choices: FORMATS,
    group: 'Bulk:',
    describe:
      'with --out: jsonl (the default); txt, a file per picture; metadata, the metadata.jsonl of an imagefolder; webdataset and parquet, which hold the pictures too',
  },
  'shard-size': {
    ...text(`pictures of a shard [default: ${DEFAULT_SHARD_SIZE}]`),
    coerce: wholeNumber('shard-size', 1),
  },
  shard: { ...text('i/n: only every n-th shard, from the i-th on, which is one of 0 to n-1'), coerce: slice },
  workers: workersFlag,
  'retry-failed': { ...yes('caption pictures again that failed in an earlier run'), implies: 'out' },
  existing: {
    choices: EXISTING,
    group: 'Bulk:',
    describe: 'with --format txt, where a picture has a text file already [default: skip]',
  },
  prefix: text('with --format txt: text before each caption'),
  suffix: text('with --format txt: text after each caption'),
  beside: yes('with --format txt: the files lie beside the pictures, and --out holds the state of the run only'),
  'path-field': text('field of .jsonl inputs that holds the path [default: file_name, path, image, image_path or url]'),
  'image-column': text('column of .parquet inputs that holds the pictures [default: the one that says so]'),
  'image-root': text("folder of relative paths inside .jsonl and .parquet inputs [default: the file's own]"),
} as const;

/** Their names: none goes with a task that makes no text. */
export const BULK_FLAGS: readonly string[] = Object.keys(FLAGS);

/** The flags of a run into a folder. */
export function bulkFlags<T>(parser: Argv<T>) {
  return parser.options(FLAGS);
}

export interface BulkArgs extends ArgsOf<typeof FLAGS> {
  readonly images: readonly string[];
}

export interface BulkRequest {
  readonly out: string;
  readonly format: (typeof FORMATS)[number];
  readonly shardSize: number;
  readonly slice: Slice;
  readonly workers: number | 'auto';
  readonly retryFailed: boolean;
  readonly existing: (typeof EXISTING)[number];
  readonly prefix: string;
  readonly suffix: string;
  readonly beside: boolean;
  readonly pathField: string | undefined;
  readonly imageColumn: string | undefined;
  readonly imageRoot: string | undefined;
}

/**
 * What is asked of a run into a folder; null for captions on stdout.
 * @throws Blip2Error `USAGE` for flags that need others
 */
export async function readBulk(args: BulkArgs): Promise<BulkRequest | null> {
  if (args.out === '') throw usageError('--out has no name', 'Name a folder for the captions.');
  const out = args.out ?? (await ownFolder(args));
  if (out === null) {
    const given = BULK_FLAGS.filter((flag) => args[flag as keyof BulkArgs] !== undefined);
    if (given.length > 0) throw usageError(`${flagsNeed(given)} --out`, hintOfOut(args));
    const container = args.images.find((image) => CONTAINER_NAME.test(image));
    if (container === undefined) return null;
    throw usageError(`${container} holds many pictures`, 'Name a folder for their captions with --out.');
  }
  const format = args.format ?? 'jsonl';
  if (format !== 'txt') {
    const given = (['prefix', 'suffix', 'beside'] as const).filter((flag) => args[flag] !== undefined);
    if (given.length > 0) throw usageError(`${flagsNeed(given)} --format txt`);
    const replaces = format === 'metadata' && args.existing === 'overwrite';
    if (args.existing !== undefined && !replaces) {
      throw usageError(`--existing ${args.existing} does not go with --format ${format}`);
    }
  }
  return {
    out,
    format,
    shardSize: args['shard-size'] ?? DEFAULT_SHARD_SIZE,
    slice: args.shard ?? { index: 0, count: 1 },
    workers: args.workers ?? 1,
    retryFailed: args['retry-failed'] === true,
    existing: args.existing ?? 'skip',
    prefix: args.prefix ?? '',
    suffix: args.suffix ?? '',
    beside: args.beside === true,
    pathField: args['path-field'],
    imageColumn: args['image-column'],
    imageRoot: args['image-root'],
  };
}

/** `--format needs`, `--prefix, --suffix need`. */
function flagsNeed(flags: readonly string[]): string {
  return `--${flags.join(', --')} ${flags.length === 1 ? 'needs' : 'need'}`;
}

function hintOfOut({ format, images }: BulkArgs): string {
  if (format !== 'txt' || images.length === 0) return 'Name a folder for the captions.';
  return 'Give one folder of pictures alone for files beside them, or --beside, and --out for a folder of what the run has to know.';
}

/** Formats that belong beside the pictures of a folder need no other one. */
async function ownFolder({ images, format }: BulkArgs): Promise<string | null> {
  const [folder] = images;
  if ((format !== 'txt' && format !== 'metadata') || images.length !== 1 || folder === undefined) return null;
  const found = await stat(folder).catch(() => null);
  return found?.isDirectory() === true ? folder : null;
}

function slice(value: unknown): Slice | undefined {
  if (value === undefined) return undefined;
  const [, index, count] = /^(\d{1,9})\/(\d{1,9})$/.exec(typeof value === 'string' ? value : '') ?? [];
  if (index !== undefined && Number(index) < Number(count)) return { index: Number(index), count: Number(count) };
  throw usageError(`--shard takes i/n with i from 0 to n-1, such as 0/4, not ${JSON.stringify(value)}`);
}

function workers(value: unknown): number | 'auto' | undefined {
  return value === 'auto' ? value : wholeNumber('workers', 1)(value);
}
