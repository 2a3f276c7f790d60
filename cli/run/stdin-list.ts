import { isUtf8 } from 'node:buffer';
import { addAbortSignal } from 'node:stream';
import { fileUrl } from '../../src/runtime/image/file-url.js';
import { foreignFormat, pictureFormat } from '../../src/runtime/image/picture-format.js';
import { usageError } from '../common/main.js';

/** Some editors and shells put it before UTF-8. */
const BYTE_ORDER_MARK = Buffer.from('\uFEFF');
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** A list of paths that is longer is none. */
const MAX_LIST_BYTES = 1024 ** 3;

/**
 * The lines of stdin that are not empty; those that are not UTF-8 as `file:` URLs, since they can only be paths.
 * @param signal ends the reading, of a list that does not end too
 * @throws Blip2Error `USAGE` where a picture or other binary data is piped in; an AbortError
 */
export async function stdinList(signal?: AbortSignal): Promise<string[]> {
  const input: AsyncIterable<Uint8Array> = signal === undefined ? process.stdin : addAbortSignal(signal, process.stdin);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let checked = false;
  for await (const chunk of input) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (!checked && bytes >= 16) {
      refuseBinary(Buffer.concat(chunks));
      checked = true;
    }
    if (bytes > MAX_LIST_BYTES)
      throw usageError(`what is piped in has over ${MAX_LIST_BYTES} bytes: that is no list of pictures`);
  }
  const list = Buffer.concat(chunks);
  refuseBinary(list);
  const isMarked = list.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
  return linesOf(isMarked ? list.subarray(BYTE_ORDER_MARK.length) : list).map((line) =>
    isUtf8(line) ? line.toString() : fileUrl(line),
  );
}

function refuseBinary(bytes: Buffer): void {
  const format = pictureFormat(bytes);
  const kind = format === undefined ? foreignFormat(bytes) : `a picture (${format})`;
  const binary = kind ?? (bytes.includes(0) ? 'binary data' : undefined);
  if (binary === undefined) return;
  throw usageError(
    `what is piped in is ${binary}, not a list of pictures`,
    'Save it as a file and name that. A list has one path or URL a line.',
  );
}

function linesOf(list: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let begin = 0; begin < list.length;) {
    const found = list.indexOf(LINE_FEED, begin);
    const end = found === -1 ? list.length : found;
    const line = list.subarray(begin, list[end - 1] === CARRIAGE_RETURN && end > begin ? end - 1 : end);
    if (line.length > 0) lines.push(line);
    begin = end + 1;
  }
  return lines;
}
