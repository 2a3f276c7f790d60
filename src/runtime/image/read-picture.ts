import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Blip2Error, reasonOf } from '../../errors.js';
import { fileUrl, inLine } from './file-url.js';

/** Larger files are not read: the largest pictures that are decoded have 89 million pixels of 3 bytes. */
export const MAX_PICTURE_BYTES = 512 * 1024 * 1024;

/**
 * The bytes of a picture's file. Only a file is opened: reading a FIFO would wait for a writer that may never come, and a
 * device may never end.
 * @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_UNREADABLE`, `IMAGE_TOO_LARGE`
 */
export async function readPicture(path: string | Buffer): Promise<Uint8Array> {
  const name = inLine(typeof path === 'string' ? path : fileUrl(path));
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a FIFO waits for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (!stats.isFile()) {
      throw new Blip2Error('IMAGE_UNREADABLE', `${name} is ${stats.isDirectory() ? 'a folder' : 'no regular file'}`, {
        hint: 'A picture is a file. Write what a FIFO or device gives into one first.',
        details: { picture: name },
      });
    }
    if (stats.size > MAX_PICTURE_BYTES) {
      throw new Blip2Error(
        'IMAGE_TOO_LARGE',
        `${name} has ${stats.size} bytes, more than the ${MAX_PICTURE_BYTES} that a picture may have`,
        { details: { picture: name, sizeBytes: stats.size, limitBytes: MAX_PICTURE_BYTES } },
      );
    }
    return await file.readFile();
  } catch (cause) {
    if (cause instanceof Blip2Error) throw cause;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      throw new Blip2Error('IMAGE_NOT_FOUND', `there is no picture at ${name}`, { details: { picture: name }, cause });
    }
    throw new Blip2Error('IMAGE_UNREADABLE', `${name} cannot be opened: ${reasonOf(cause)}`, {
      details: { picture: name },
      cause,
    });
  } finally {
    await file?.close();
  }
}
