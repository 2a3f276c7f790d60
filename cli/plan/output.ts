import { link, rename, unlink, writeFile } from 'node:fs/promises';
import { Blip2Error } from '../../src/errors.js';
import { usageError } from '../common/main.js';

/**
 * Writes `text` to stdout, or completely to `file`, which is not replaced unless `force` says so.
 * @throws Blip2Error `BAD_OUTPUT`, `USAGE` for a file without a name
 */
export async function writeOutput(text: string, file: string | undefined, force: boolean): Promise<void> {
  if (file === undefined || file === '-') {
    process.stdout.write(text);
    return;
  }
  if (file === '') throw usageError('--output is given an empty file name');
  const temporary = `${file}.${crypto.randomUUID()}.part`;
  try {
    await writeFile(temporary, text, { flag: 'wx' });
    // A link fails where the name is taken, a rename would replace it.
    if (force) await rename(temporary, file);
    else {
      await link(temporary, file);
      await unlink(temporary);
    }
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    const why = exists ? 'it exists' : error instanceof Error ? error.message : String(error);
    throw new Blip2Error('BAD_OUTPUT', `${file} was not written: ${why}`, {
      ...(exists ? { hint: 'Use --force to replace it.' } : {}),
      cause: error,
    });
  }
}
