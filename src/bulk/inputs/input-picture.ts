/** A picture of a bulk run: where it lies, as text that a run folder keeps. Pictures themselves are read when they are needed. */
import * as z from 'zod';
import { Blip2Error } from '../../errors.js';

/** A file of its own, or a URL. */
const filePicture = z.strictObject({
  /** As the caller names it. */
  name: z.string(),
  /** Where it is read, where that is another text than its name. */
  path: z.string().optional(),
  /** Its path below the folder that it was found in, `/` between folders. */
  beneath: z.string(),
});

/** A member of a tar archive: `bytes[offset, offset + size)` of the archive, unpacked where it is compressed. */
const tarPicture = z.strictObject({
  name: z.string(),
  tar: z.string(),
  offset: z.int(),
  size: z.int(),
  /** By which its bytes are known from others, where it was listed. */
  mark: z.string().optional(),
});

/** A row of a Parquet file. Its key is the file and the number: paths in an image column are not unique. */
const parquetPicture = z.strictObject({
  parquet: z.string(),
  column: z.string(),
  row: z.int(),
  /** By which a file is known from another one of its name, where it was listed. */
  footer: z.string().optional(),
});

export const inputPicture = z.union([filePicture, tarPicture, parquetPicture]);

export type FilePicture = z.infer<typeof filePicture>;
export type TarPicture = z.infer<typeof tarPicture>;
export type ParquetPicture = z.infer<typeof parquetPicture>;
export type InputPicture = z.infer<typeof inputPicture>;

/** A line that a run folder keeps, back as a picture. */
export const parseInputPicture = (line: string): InputPicture => inputPicture.parse(JSON.parse(line));

/** What a picture is called in messages and on the screen. */
export function pictureName(picture: InputPicture): string {
  return 'parquet' in picture ? `row ${picture.row} of ${picture.parquet}` : picture.name;
}

/** An input that cannot be split into pictures; nothing has been captioned. */
export function invalidInput(file: string, reason: string, hint: string, cause?: unknown): Blip2Error {
  return new Blip2Error('INPUT_INVALID', `${file}: ${reason}`, { hint, details: { file }, cause });
}
