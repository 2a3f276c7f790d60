import { basename, extname } from 'node:path/posix';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import * as z from 'zod';
import { Blip2Error, reasonOf } from '../../errors.js';
import { printable, quote, shorten } from '../../loader/format/quote.js';
import { invalidInput, type TarPicture } from './input-picture.js';
import { openTarFile } from './open-tar-file.js';
import { hasPictureName } from './picture-name.js';
import { tarHeaders } from './tar-headers.js';

/** Folders of notes about an archive, which webdataset's reader skips: at its root alone. */
const NOTES_FOLDER = /^__[^/]*__\//;

/** Of what an archive has in place of pictures. */
const NAMED_KINDS = 5;

/**
 * Archives of before 1988, and the labels that GNU tar gives archives, name no format; their checksums hold all the same. The library's
 * declarations lack that option; the other has its default.
 */
const READING = { allowUnknownFormat: true, highWaterMark: 16 * 1024 };

const member = z.object({
  name: z.string(),
  type: z.string().nullable(),
  size: z.int(),
  byteOffset: z.int(),
  pax: z.record(z.string(), z.string()).nullable(),
});

/**
 * The pictures of a tar archive in their order, plain or compressed with gzip. Links, hidden files and what has no picture's
 * name are passed over, as webdataset does.
 * @throws Blip2Error `INPUT_INVALID` for an archive that is not whole, or has members and no picture among them
 */
export async function* tarPictures(path: string): AsyncGenerator<TarPicture, void> {
  try {
    await using tar = await openTarFile(path);
    const members = extract(READING);
    const marks = new Map<number, string>();
    const headers = Readable.from(tarHeaders(tar, (offset, mark) => marks.set(offset, mark)));
    headers.on('error', (error) => members.destroy(error)).pipe(members);
    const others = new Set<string>();
    let pictures = 0;
    for await (const entry of members) {
      const { name, type, size, byteOffset, pax } = member.parse(entry.header);
      entry.resume();
      const mark = marks.get(byteOffset);
      marks.delete(byteOffset);
      if (!hasPictureName(name) || basename(name).startsWith('.') || NOTES_FOLDER.test(name)) {
        if (type === 'file') others.add(extname(name).toLowerCase() || basename(name));
        continue;
      }
      const isSparse = type === null || pax?.['GNU.sparse.major'] !== undefined;
      if (isSparse) throw new Error(`the member ${quote(name)} is stored with holes`);
      if (type !== 'file' && type !== 'contiguous-file') continue;
      pictures += 1;
      yield { name, tar: path, offset: byteOffset, size, mark };
    }
    if (pictures === 0 && others.size > 0) {
      const kinds = printable(shorten([...others].slice(0, NAMED_KINDS).join(', ')));
      throw invalidInput(
        path,
        `none of its members is a picture (${kinds})`,
        'Leave it out, or see what it should hold.',
      );
    }
  } catch (cause) {
    if (cause instanceof Blip2Error) throw cause;
    throw invalidInput(
      path,
      `is not a whole tar archive: ${reasonOf(cause)}`,
      'Fetch or make it again, or leave it out.',
      cause,
    );
  }
}
