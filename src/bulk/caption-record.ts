/** What became of a picture, as a row of a run's records and of its JSONL output. */
import * as z from 'zod';
import { Blip2Error } from '../errors.js';
import type { Answer } from '../runtime/engine/captioner-options.js';
import type { InputPicture } from './inputs/input-picture.js';
import { readFileSchema } from './inputs/read-file.js';

/** Without a score: its last digits depend on what runs beside a picture, and files are to be the same byte for byte. */
const answer = z.object({ text: z.string(), tokens: z.array(z.int()) });

/**
 * Readers take the type of a column from the first rows, and refuse what does not fit: texts are always texts, and empty where
 * there may be none in a whole file.
 */
const captionRecord = z.object({
  /** As the input names the picture; nothing where a table gives no path. */
  file_name: z.string(),
  /** The archive or table that it lies in, and its row there. */
  archive: z.string().optional(),
  row: z.int().optional(),
  /** The first answer's; null where the picture failed or was skipped. */
  text: z.string().nullable(),
  tokens: z.array(z.int()),
  /** All of them, where several were asked for. */
  answers: z.array(answer).optional(),
  /** Whether the first answer stopped at the most tokens it might have. */
  truncated: z.boolean(),
  /** Whether it was left alone, because it has a caption already. */
  skipped: z.boolean().optional(),
  /** Code and message of what it failed with, or nothing: a type that no later row changes. */
  error: z.string(),
});

export type CaptionRecord = z.infer<typeof captionRecord>;

const place = z.object({
  position: z.int().nonnegative(),
  record: captionRecord,
  /** What was captioned, where it was in a file. */
  file: readFileSchema.optional(),
});

/**
 * The records of a finished shard. Where they are what the run writes, anybody may have edited them since.
 * @throws Blip2Error `RUN_INVALID`
 */
export function parseRecords(text: string, file: string): CaptionRecord[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line, index) => {
      try {
        return captionRecord.parse(JSON.parse(line));
      } catch (cause) {
        throw changedRecords(file, `line ${index + 1} is no record of a picture`, cause);
      }
    });
}

/**
 * Makes sure that records are those of a shard's pictures, in their order.
 * @throws Blip2Error `RUN_INVALID`
 */
export function checkRecords(records: readonly CaptionRecord[], pictures: readonly InputPicture[], file: string): void {
  if (records.length !== pictures.length) {
    throw changedRecords(file, `it has ${records.length} rows, and its shard ${pictures.length} pictures`);
  }
  const row = pictures.findIndex((picture, position) => !isRecordOf(records[position], picture));
  if (row !== -1) throw changedRecords(file, `line ${row + 1} is not of the picture that the run has there`);
}

function isRecordOf(record: CaptionRecord | undefined, picture: InputPicture): boolean {
  if (record === undefined) return false;
  const { file_name: name, archive, row } = identity(picture, record.file_name);
  return name === record.file_name && archive === record.archive && row === record.row;
}

function changedRecords(file: string, what: string, cause?: unknown): Blip2Error {
  return new Blip2Error('RUN_INVALID', `${file} is not as the run wrote it: ${what}`, {
    hint: 'Put it back as it was, or move it away: its pictures are then captioned again.',
    details: { file },
    cause,
  });
}

/** A record and the position of its picture in the shard. */
export type PlacedRecord = z.infer<typeof place>;

export const parsePlacedRecord = (line: string): PlacedRecord => place.parse(JSON.parse(line));

export function captionedRecord(
  picture: InputPicture,
  path: string | null,
  answers: readonly [Answer, ...Answer[]],
): CaptionRecord {
  const [first] = answers;
  return {
    ...identity(picture, path),
    text: first.text,
    tokens: [...first.ids],
    ...(answers.length === 1 ? {} : { answers: answers.map(({ text, ids }) => ({ text, tokens: [...ids] })) }),
    truncated: first.finish === 'length',
    error: '',
  };
}

export function failedRecord(picture: InputPicture, path: string | null, { code, message }: Blip2Error): CaptionRecord {
  return { ...identity(picture, path), text: null, tokens: [], truncated: false, error: `${code}: ${message}` };
}

export function skippedRecord(picture: InputPicture): CaptionRecord {
  return { ...identity(picture, null), text: null, tokens: [], truncated: false, skipped: true, error: '' };
}

function identity(picture: InputPicture, path: string | null): Pick<CaptionRecord, 'file_name' | 'archive' | 'row'> {
  if ('parquet' in picture) return { file_name: path ?? '', archive: picture.parquet, row: picture.row };
  return { file_name: picture.name, ...('tar' in picture ? { archive: picture.tar } : {}) };
}
