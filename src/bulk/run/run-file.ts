/** What decides the texts of a run, kept in its folder: another run is not mixed with it. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { Blip2Error } from '../../errors.js';
import type { InputList } from './input-list.js';
import type { RunFolder } from './run-folder.js';

const RUN_FILE = 'run.json';

/** Name of a setting, as a person knows it -> its value. */
export type RunSettings = Readonly<Record<string, string | number | boolean | null>>;

/** A run that a process is at work on. */
export interface RunInHand {
  readonly settings: RunSettings;
  readonly list: Pick<InputList, 'hash' | 'pictures'>;
}

const runFile = z.object({
  version: z.literal(1),
  pictures: z.int(),
  shards: z.int(),
  inputs: z.string(),
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

export type RunFile = z.infer<typeof runFile>;

/** @returns null where the folder holds no run */
export function readRunFile(folder: RunFolder): Promise<RunFile | null> {
  return readState(folder, RUN_FILE, runFile, 'a run of this version');
}

/**
 * A file of a run's state; null where there is none.
 * @throws Blip2Error `RUN_INVALID` where it is not what `writer` writes
 */
export async function readState<T>(
  folder: RunFolder,
  name: string,
  schema: z.ZodType<T>,
  writer: string,
): Promise<T | null> {
  const text = await folder.readStateFile(name);
  if (text === null) return null;
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Blip2Error('RUN_INVALID', `${name} in ${folder.name} is not what ${writer} writes`, {
      hint: 'Give another folder with --out.',
      cause,
    });
  }
}

/**
 * Writes a run that the folder did not know.
 * @throws Blip2Error `RUN_DIFFERS` where another process has begun another one meanwhile
 */
export async function beginRunFile(folder: RunFolder, run: RunFile): Promise<void> {
  await folder.createStateFile(RUN_FILE, runText(run));
  const begun = (await readRunFile(folder)) ?? run;
  refuseOtherSettings(folder, begun.settings, run.settings);
  if (begun.inputs !== run.inputs) refuseOtherInputs(folder, begun, run.pictures);
}

/**
 * Makes sure that the folder is still the run's: another one may have been put in its place since it was opened.
 * @throws Blip2Error `RUN_DIFFERS`, `RUN_MISSING`
 */
export async function confirmRun(folder: RunFolder, { settings, list }: RunInHand): Promise<void> {
  const known = await readRunFile(folder);
  if (known === null) {
    throw new Blip2Error('RUN_MISSING', `${folder.name} no longer holds the run that is at work in it`, {
      hint: 'Put the folder back, or begin again. Is what it lies on still there?',
    });
  }
  refuseOtherSettings(folder, known.settings, settings);
  if (known.inputs !== list.hash) refuseOtherInputs(folder, known, list.pictures);
}

/** What files of a run that are on their way have in their names. */
export function runKey({ settings, list }: RunInHand): string {
  const set = Object.entries(settings).filter(([, value]) => value !== null);
  const text = JSON.stringify([list.hash, set.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

export function writeRunFile(folder: RunFolder, run: RunFile): Promise<void> {
  return folder.writeStateFile(RUN_FILE, runText(run));
}

/** @throws Blip2Error `RUN_DIFFERS` with each setting that is another one */
export function refuseOtherSettings(folder: RunFolder, known: RunSettings, asked: RunSettings): void {
  const names = [...new Set([...Object.keys(known), ...Object.keys(asked)])];
  const differing = names.filter((name) => (known[name] ?? null) !== (asked[name] ?? null));
  if (differing.length === 0) return;
  const lines = differing.map((name) => `${name} was ${shown(known[name])}, is ${shown(asked[name])}`);
  throw new Blip2Error('RUN_DIFFERS', `${folder.name} holds a run of other settings: ${lines.join('; ')}`, {
    hint: `Give the same settings to go on with it, or another folder with --out${known['--format'] === 'txt' ? BESIDE : ''}.`,
    details: { known, asked },
  });
}

/**
 * @param difference where the lists part, as far as that is known
 * @throws Blip2Error `RUN_DIFFERS`
 */
export function refuseOtherInputs(
  folder: RunFolder,
  known: RunFile,
  pictures: number,
  difference: string | null = null,
): never {
  const counts = known.pictures === pictures ? `as many (${pictures})` : `${known.pictures} then, ${pictures} now`;
  const first = difference === null ? '' : `; the first that differs: ${difference}`;
  throw new Blip2Error('RUN_DIFFERS', `${folder.name} holds a run of other pictures: ${counts}${first}`, {
    hint: 'Give the same pictures to go on with it, or another folder with --out.',
    details: { known: known.pictures, asked: pictures },
  });
}

/** How texts that lie beside pictures are made anew by a run whose folder is another. */
const BESIDE = ' (with --beside the texts still lie beside their pictures, and --existing overwrite replaces them)';

const runText = (run: RunFile): string => `${JSON.stringify(run, null, 2)}\n`;

const shown = (value: RunSettings[string] | undefined): string => JSON.stringify(value ?? null);
