import { createReadStream } from 'node:fs';
import { Blip2Error } from '../../src/planner/index.js';
import { parseJson } from '../../src/loader/format/parse-json.js';
import { reasonOf } from '../../src/errors.js';

/** Plans and maps of the largest models have some hundred thousand. */
const MAX_BYTES = 32_000_000;

/**
 * @param file `-` for stdin
 * @param check looks at the text of what was read
 * @throws Blip2Error `FILE_INVALID` where the file cannot be read or is no JSON, and what `check` throws.
 */
export async function readJson(file: string, check?: (text: string, json: unknown) => void): Promise<unknown> {
  let text = '';
  try {
    text = decoded(await readBytes(file));
    const json = parseJson(text);
    check?.(text, json);
    return json;
  } catch (error) {
    if (error instanceof Blip2Error) throw error;
    const name = file === '-' ? 'stdin' : file;
    throw new Blip2Error('FILE_INVALID', `${name} cannot be read as JSON: ${whyOf(error)}`, {
      ...(/^\s*[{[]\s*'/.test(text)
        ? { hint: 'Python prints its dicts with other quotes than JSON has: write it with json.dump.' }
        : {}),
      cause: error,
    });
  }
}

function whyOf(error: unknown): string {
  switch (error instanceof Error && 'code' in error ? error.code : null) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EISDIR':
      return 'it is a folder';
    case 'EACCES':
      return 'you may not read it';
    default:
      return reasonOf(error);
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
