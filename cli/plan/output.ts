import { constants, fstatSync } from 'node:fs';
import { link, open, rename, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reasonOf } from '../../src/errors.js';
import { Blip2Error } from '../../src/planner/index.js';
import { TemporaryFile } from '../../src/loader/write/temporary-file.js';
import { writeFailure } from '../../src/loader/file/write-failure.js';
import { writeTarget } from '../../src/loader/write/write-target.js';
import { usageError } from '../common/main.js';

/**
 * Writes `text` to stdout, or completely to `file`, which is not replaced unless `force` says so. Of a link the file that
 * it leads to is replaced; a device or FIFO is written to, and stays.
 * @throws Blip2Error `OUTPUT_EXISTS`, `OUTPUT_INVALID`, `DISK_FULL`, `FILE_TOO_LARGE`, `USAGE` for a file without a name
 */
export async function writeOutput(text: string, file: string | undefined, force: boolean): Promise<void> {
  if (file === undefined || file === '-') {
    process.stdout.write(text);
    return;
  }
  if (file === '') throw usageError('--output is given an empty file name');
  try {
    const own = await ownStream(file);
    if (own !== null) own.write(text);
    else await writeNamed(text, file, force);
  } catch (error) {
    if (error instanceof Blip2Error) throw error;
    const failure = writeFailure(file, error);
    // A name that cannot be written is mended on the command line, a full disk is not.
    if (failure instanceof Blip2Error && failure.code !== 'WRITE_FAILED') throw failure;
    throw notWritten(file, isErrno(error, 'ENOENT') ? `there is no folder ${dirname(file)}` : reasonOf(error), error);
  }
}

async function writeNamed(text: string, file: string, force: boolean): Promise<void> {
  const { kind, path } = await writeTarget(file);
  switch (kind) {
    case 'none':
      return writeWhole(text, path, file, false);
    case 'file':
      return writeWhole(text, path, file, force);
    case 'device':
      return writeFile(path, text);
    case 'FIFO':
      return writeToReader(text, path);
    default:
      throw notWritten(file, `it is a ${kind}`);
  }
}

/** /dev/stdout and its like: opened once more, a file that stdout leads to would be written from its beginning. */
async function ownStream(file: string): Promise<NodeJS.WriteStream | null> {
  const named = await stat(file, { bigint: true }).catch(() => null);
  for (const stream of named === null ? [] : [process.stdout, process.stderr]) {
    const own = fstatSync(stream.fd, { bigint: true });
    if (own.dev === named?.dev && own.ino === named.ino) return stream;
  }
  return null;
}

async function writeWhole(text: string, path: string, file: string, force: boolean): Promise<void> {
  await using temporary = await TemporaryFile.beside(path);
  await temporary.handle.writeFile(text);
  await temporary.finish();
  if (force) return rename(temporary.path, path);
  try {
    // A link fails where the name is taken, a rename would replace it.
    await link(temporary.path, path);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) throw exists(file, error);
    // A file system without links: the name is taken first.
    const reserved = await open(path, 'wx').catch((cause: unknown) => {
      throw isErrno(cause, 'EEXIST') ? exists(file, cause) : cause;
    });
    await reserved.close();
    await rename(temporary.path, path);
  }
}

/** To open a FIFO that nobody reads would wait for ever. */
async function writeToReader(text: string, path: string): Promise<void> {
  const reader = await open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw isErrno(error, 'ENXIO') ? notWritten(path, 'it is a FIFO that nobody reads', error) : error;
  });
  try {
    await writeFile(path, text);
  } finally {
    await reader.close();
  }
}

function exists(file: string, cause: unknown): Blip2Error {
  return new Blip2Error('OUTPUT_EXISTS', `${file} was not written: it exists`, {
    hint: 'Use --force to replace it.',
    cause,
  });
}

function notWritten(file: string, why: string, cause?: unknown): Blip2Error {
  return new Blip2Error('OUTPUT_INVALID', `${file} was not written: ${why}`, { cause });
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
