import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { Blip2Error } from '../../src/errors.js';

/** @param file `-` for stdin @throws Blip2Error `BAD_FILE` where the file cannot be read or is no JSON. */
export async function readJson(file: string): Promise<unknown> {
  try {
    const json: unknown = JSON.parse(decoded(await readBytes(file)));
    return json;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Blip2Error('BAD_FILE', `${file === '-' ? 'stdin' : file} cannot be read as JSON: ${why}`, {
      cause: error,
    });
  }
}

/** @param file `-` for stdin */
export async function readBytes(file: string): Promise<Uint8Array> {
  return file === '-' ? buffer(process.stdin) : readFile(file);
}

/** Windows PowerShell writes UTF-16 where output goes to a file, and others a mark before UTF-8, which decoders take away. */
function decoded(bytes: Uint8Array): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  return new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8').decode(bytes);
}
