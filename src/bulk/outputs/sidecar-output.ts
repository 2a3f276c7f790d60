import { readFile } from 'node:fs/promises';
import { dirname, join, parse, resolve } from 'node:path';
import * as z from 'zod';
import { Blip2Error } from '../../errors.js';
import { exists } from '../../loader/file/exists.js';
import { makeFolder } from '../../loader/file/make-folder.js';
import { replaceFile } from '../../loader/write/replace-file.js';
import { removeAbandonedFiles } from '../../loader/write/temporary-file.js';
import { skippedRecord, type CaptionRecord } from '../caption-record.js';
import { pictureName, type InputPicture } from '../inputs/input-picture.js';
import { filePicture } from '../inputs/file-picture.js';
import { isElsewhere } from '../inputs/picture-address.js';
import type { RunFolder } from '../run/run-folder.js';
import type { ShardJob } from '../run/shard-job.js';
import type { FinishedShard, ShardOutput } from '../run/shard-output.js';

/** What is done where a picture has a text file already. */
export const EXISTING = ['skip', 'overwrite', 'append'] as const;

/** Files that are written at the same time: each waits for the disk. */
const AT_ONCE = 16;

export interface SidecarOptions {
  /** Beside each picture, in place of the run's folder. */
  readonly beside: boolean;
  readonly existing: (typeof EXISTING)[number];
  readonly prefix: string;
  readonly suffix: string;
}

const pendingText = z.object({ position: z.int(), path: z.string(), text: z.string() });

type PendingText = z.infer<typeof pendingText>;

/**
 * A text file per picture, as trainers read them. All texts of a shard are kept in one file before the first of them is
 * written, so that a shard that was killed on the way is written to its end, and nothing is appended twice.
 */
export class SidecarOutput implements ShardOutput {
  readonly #folder: RunFolder;
  readonly #options: SidecarOptions;

  constructor(folder: RunFolder, options: SidecarOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  target(picture: InputPicture): string {
    if ('parquet' in picture) throw noPlace(picture, 'a row of a table has no file name');
    const path = 'tar' in picture ? null : (picture.path ?? picture.name);
    if (this.#options.beside && (path === null || isElsewhere(path))) {
      throw noPlace(picture, 'nothing can be written beside it');
    }
    const { beneath } = 'tar' in picture ? filePicture(picture.name) : picture;
    const text = textFile(this.#options.beside && path !== null ? path : join(this.#folder.path, beneath));
    if (path !== null && resolve(path) === resolve(text))
      throw noPlace(picture, 'it has the name that its text would have');
    return text;
  }

  async lost(pictures: readonly InputPicture[], records: readonly CaptionRecord[]): Promise<ReadonlySet<number>> {
    const isLost = pictures.map(async (picture, position) => {
      const record = records[position];
      const hadText = record !== undefined && (record.text !== null || record.skipped === true);
      return hadText && !(await exists(this.target(picture)));
    });
    const lost = await Promise.all(isLost);
    return new Set([...lost.keys()].filter((position) => lost[position]));
  }

  async begin(job: ShardJob): Promise<void> {
    if (this.#options.existing !== 'skip') return;
    // What a killed run of these pictures was writing is no reason to leave them alone.
    const own = new Set((await readPending(this.#folder.pendingFile(job.shard))).map(({ path }) => path));
    for (const position of job.missing) {
      const picture = job.picture(position);
      const path = this.target(picture);
      if (!own.has(path) && (await exists(path))) job.settle(position, skippedRecord(picture));
    }
  }

  async write(shard: FinishedShard): Promise<readonly CaptionRecord[]> {
    const pendingFile = this.#folder.pendingFile(shard.shard);
    const unfinished = await readPending(pendingFile);
    const begun = new Map(unfinished.map(({ position, text }) => [position, text]));
    const texts = await Promise.all(
      newTexts(shard).map((position) => this.#text(shard, position, begun.get(position))),
    );
    const lines = texts.map((text) => `${JSON.stringify(text)}\n`).join('');
    await replaceFile(pendingFile, (handle) => handle.writeFile(lines));
    for (const folder of new Set(unfinished.map(({ path }) => dirname(path)))) {
      if (await exists(folder)) await removeAbandonedFiles(folder);
    }
    const waiting = texts.values();
    const writeNext = async () => {
      for (const { path, text } of waiting) {
        await makeFolder(dirname(path));
        await replaceFile(path, (handle) => handle.writeFile(text));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, writeNext));
    return shard.records;
  }

  /** @param begun the text that a killed run was writing, which may be there: it is written to its end if it is of the same caption */
  async #text({ pictures, records }: FinishedShard, position: number, begun?: string): Promise<PendingText> {
    const { existing, prefix, suffix } = this.#options;
    const [picture, record] = [pictures[position], records[position]];
    if (picture === undefined || record === undefined) throw new RangeError(`no picture ${position}`);
    const answers = record.answers?.map(({ text }) => text) ?? [record.text ?? ''];
    const lines = answers.map((answer) => `${prefix}${answer.replaceAll(/\s+/g, ' ')}${suffix}`).join('\n');
    const path = this.target(picture);
    if (begun !== undefined && endsIn(begun, lines)) return { position, path, text: begun };
    const there = existing === 'append' ? await readFile(path, 'utf8').catch(() => '') : '';
    // A run that goes on with more pictures comes to those that it has captioned, too.
    if (there !== '' && endsIn(there, lines)) return { position, path, text: there };
    const before = there.trimEnd();
    return { position, path, text: `${before === '' ? lines : `${before}, ${lines}`}\n` };
  }
}

/** Positions of captions that no earlier writing of the shard had. */
function newTexts({ records, kept }: FinishedShard): number[] {
  return [...records.keys()].filter((position) => records[position]?.text != null && !kept.has(position));
}

const textFile = (path: string): string => {
  const { dir, name } = parse(path);
  return join(dir, `${name}.txt`);
};

/** Whether a file has these captions as its last ones. */
function endsIn(text: string, lines: string): boolean {
  const [there, wanted] = [text.trimEnd(), lines.trimEnd()];
  return there === wanted || there.endsWith(`, ${wanted}`);
}

async function readPending(path: string): Promise<PendingText[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => pendingText.parse(JSON.parse(line)));
}

function noPlace(picture: InputPicture, reason: string): Blip2Error {
  return new Blip2Error('OUTPUT_IMPOSSIBLE', `a text file for ${pictureName(picture)} has no place: ${reason}`, {
    hint: 'Choose --format jsonl, webdataset or parquet.',
  });
}
