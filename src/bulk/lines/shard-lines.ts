/** Shards as JSON lines: what any program may hand to a worker, and what it answers. */
import * as z from 'zod';
import { Blip2Error } from '../../errors.js';
import type { ErrorCode } from '../../error-codes.js';
import { filePicture } from '../inputs/file-picture.js';
import { inputPicture, type InputPicture } from '../inputs/input-picture.js';
import type { CaptionRecord } from '../caption-record.js';

/** More pictures belong into several shards: a shard is in memory whole. */
const MOST_PICTURES = 100_000;

const shardLine = z.strictObject({
  /** Given back in the answer. */
  id: z.union([z.string().min(1).max(1000), z.int()]),
  /** Paths and URLs, or lines of a run's list of pictures. */
  pictures: z
    .array(z.union([z.string().min(1), inputPicture]))
    .min(1)
    .max(MOST_PICTURES),
  /** Position of its first picture in the whole run: sampling draws by it. */
  first: z.int().nonnegative().optional(),
  /** A file for the records, in place of the answer. */
  out: z.string().min(1).optional(),
});

export interface DescribedShard {
  readonly id: string | number;
  readonly pictures: readonly InputPicture[];
  readonly first: number;
  readonly out: string | null;
}

interface Counts {
  readonly captioned: number;
  readonly failed: number;
  readonly seconds: number;
}

export type ShardAnswer =
  | ({ readonly id: string | number; readonly status: 'done'; readonly records: readonly CaptionRecord[] } & Counts)
  | ({ readonly id: string | number; readonly status: 'written'; readonly out: string } & Counts)
  /** The file was there. */
  | { readonly id: string | number; readonly status: 'exists'; readonly out: string }
  | { readonly id: string | number; readonly status: 'returned' }
  | { readonly id: string | number; readonly status: 'failed'; readonly error: AnswerError }
  /** The line describes no shard. */
  | { readonly id: null; readonly status: 'refused'; readonly line: number; readonly error: AnswerError };

export interface AnswerError {
  readonly code: ErrorCode;
  readonly message: string;
}

/** @throws Blip2Error `SHARD_INVALID` with what is wrong in the line */
export function parseShardLine(line: string): DescribedShard {
  const { id, pictures, first = 0, out = null } = parse(line);
  const named = pictures.map((picture) => (typeof picture === 'string' ? filePicture(picture) : picture));
  return { id, pictures: named, first, out };
}

function parse(line: string): z.infer<typeof shardLine> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw invalid('it is no JSON', cause);
  }
  const parsed = shardLine.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(`${issue?.path.join('.') || 'the line'}: ${issue?.message ?? 'invalid'}`, parsed.error);
}

function invalid(reason: string, cause: unknown): Blip2Error {
  return new Blip2Error('SHARD_INVALID', `a line describes no shard: ${reason}`, {
    hint: 'Such as {"id": "00042", "pictures": ["a.jpg", "b.jpg"]}.',
    cause,
  });
}
