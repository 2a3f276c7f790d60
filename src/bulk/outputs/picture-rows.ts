import { Blip2Error } from '../../errors.js';
import { failedRecord, type CaptionRecord } from '../caption-record.js';
import { PictureReader } from '../inputs/picture-reader.js';
import type { FinishedShard } from '../run/shard-output.js';

export interface PictureRow {
  readonly position: number;
  readonly record: CaptionRecord;
  /** The bytes of the picture's file; null where it failed. */
  readonly bytes: Uint8Array | null;
}

/** Rows of a shard with their pictures, which are read again one by one: a shard of pictures is not held in memory. */
export async function* pictureRows(
  { pictures, records }: FinishedShard,
  imageRoot: string | undefined,
): AsyncGenerator<PictureRow, void> {
  await using reader = new PictureReader(imageRoot);
  for (const [position, picture] of pictures.entries()) {
    const record = records[position];
    if (record === undefined) throw new Error('a picture without a record');
    if (record.error !== '') {
      yield { position, record, bytes: null };
      continue;
    }
    try {
      const { bytes } = await reader.bytes(picture);
      yield { position, record, bytes };
    } catch (error) {
      if (!(error instanceof Blip2Error)) throw error;
      yield { position, record: failedRecord(picture, record.file_name || null, error), bytes: null };
    }
  }
}
