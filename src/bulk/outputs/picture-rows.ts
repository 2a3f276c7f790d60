import { Blip2Error } from '../../errors.js';
import { failedRecord, type CaptionRecord } from '../caption-record.js';
import { pictureName, type InputPicture } from '../inputs/input-picture.js';
import { PictureReader, type PictureSettings } from '../inputs/picture-reader.js';
import { isReadAgain, type ReadFile } from '../inputs/read-file.js';
import type { FinishedShard } from '../run/shard-output.js';

export interface PictureRow {
  readonly position: number;
  readonly record: CaptionRecord;
  /** The bytes of the picture's file; null where it failed. */
  readonly bytes: Uint8Array | null;
}

/**
 * Rows of a shard with their pictures, which are read one by one: a shard of pictures is not held in memory. Those that were fetched
 * for their captions are not fetched again.
 * @param earlier what an earlier writing of the shard holds, by position: where a picture came from, it may have gone since,
 * or another may be there, which its caption is not of
 */
export async function* pictureRows(
  { pictures, records, spool, files }: FinishedShard,
  { imageRoot, fetching }: PictureSettings,
  earlier: ReadonlyMap<number, InputPicture>,
): AsyncGenerator<PictureRow, void> {
  await using reader = new PictureReader(imageRoot, fetching);
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
      const bytes =
        kept?.bytes ?? (await spool?.read(position)) ?? (await readAgain(reader, picture, files?.get(position)));
      yield { position, record, bytes };
    } catch (error) {
      if (!(error instanceof Blip2Error)) throw error;
      yield { position, record: failedRecord(picture, record.file_name || null, error), bytes: null };
    }
  }
}

/** @param file that was captioned */
async function readAgain(reader: PictureReader, picture: InputPicture, file?: ReadFile): Promise<Uint8Array> {
  const { bytes } = await reader.bytes(picture);
  // Asked after it was read: whoever replaces it later changes nothing here.
  if (file === undefined || (await isReadAgain(file, bytes))) return bytes;
  throw new Blip2Error(
    'IMAGE_UNREADABLE',
    `${pictureName(picture)} is another picture than the one that was captioned`,
  );
}
