/** What became of a picture, as a row of a run's records and of its JSONL output. */
import * as z from 'zod';
import type { Blip2Error } from '../errors.js';
import type { Answer } from '../runtime/engine/captioner-options.js';
import type { InputPicture } from './inputs/input-picture.js';

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

const place = z.object({ position: z.int().nonnegative(), record: captionRecord });

/** @throws where a line is no record */
export const parseRecord = (line: string): CaptionRecord => captionRecord.parse(JSON.parse(line));

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
