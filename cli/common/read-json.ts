import { createReadStream } from 'node:fs';
import { Blip2Error } from '../../src/planner/index.js';
import { parseJson } from '../../src/loader/format/parse-json.js';

/** Plans and maps of the largest models have some hundred thousand. */
const MAX_BYTES = 32_000_000;

/** @param file `-` for stdin @throws Blip2Error `FILE_INVALID` where the file cannot be read or is no JSON. */
export async function readJson(file: string): Promise<unknown> {
  try {
    return parseJson(decoded(await readBytes(file)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Blip2Error('FILE_INVALID', `${file === '-' ? 'stdin' : file} cannot be read as JSON: ${why}`, {
      cause: error,
    });
  }
}

/** @param file `-` for stdin */
export async function readBytes(file: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // A pipe is a file here: shells make one of `--plan <(command)`.
  for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
    const piece: Uint8Array = chunk;
    bytes += piece.length;
    if (bytes > MAX_BYTES) throw new Error(`it is longer than ${MAX_BYTES} bytes`);
    chunks.push(piece);
  }
  return Buffer.concat(chunks);
}

/** Windows PowerShell writes UTF-16 where output goes to a file, and others a mark before UTF-8, which decoders take away. */
function decoded(bytes: Uint8Array): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  return new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8').decode(bytes);
}
