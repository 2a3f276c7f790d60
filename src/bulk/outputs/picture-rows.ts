import { Blip2Error } from '../../errors.js';
import { failedRecord, type CaptionRecord } from '../caption-record.js';
import type { InputPicture } from '../inputs/input-picture.js';
import { PictureReader } from '../inputs/picture-reader.js';
import type { FinishedShard } from '../run/shard-output.js';

export interface PictureRow {
  readonly position: number;
  readonly record: CaptionRecord;
  /** The bytes of the picture's file; null where it failed. */
  readonly bytes: Uint8Array | null;
}

/**
 * Rows of a shard with their pictures, which are read again one by one: a shard of pictures is not held in memory.
 * @param earlier what an earlier writing of the shard holds, by position: where a picture came from, it may have gone since,
 * or another may be there, which its caption is not of
 */
export async function* pictureRows(
  { pictures, records }: FinishedShard,
  imageRoot: string | undefined,
  earlier: ReadonlyMap<number, InputPicture>,
): AsyncGenerator<PictureRow, void> {
  await using reader = new PictureReader(imageRoot);
  await using written = new PictureReader();
  for (const [position, picture] of pictures.entries()) {
    const record = records[position];
    if (record === undefined) throw new Error('a picture without a record');
    if (record.error !== '') {
      yield { position, record, bytes: null };
      continue;
    }
    const before = earlier.get(position);
    try {
      const kept = before === undefined ? null : await written.bytes(before).catch(() => null);
      const { bytes } = kept ?? (await reader.bytes(picture));
      yield { position, record, bytes };
    } catch (error) {
      if (!(error instanceof Blip2Error)) throw error;
      yield { position, record: failedRecord(picture, record.file_name || null, error), bytes: null };
    }
  }
}
