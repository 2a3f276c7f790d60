/**
 * The front of a safetensors file: 8 bytes with the length N of the header (unsigned, little-endian), N bytes of JSON in
 * UTF-8, then the tensors' data up to the end of the file.
 */
import type { StoredTensor } from './stored-tensor.js';
import { checkLayout } from './check-layout.js';
import { CUT_OFF, foreignFormat } from './foreign-format.js';
import { parseHeader } from './parse-header.js';
import type { ParsedHeader } from './parsed-header.js';
import { quote } from './quote.js';
import { SafetensorsError } from './safetensors-error.js';

/** The reference reader's limit, `MAX_HEADER_SIZE`. The header of blip2-opt-2.7b has 0.18 MB. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Most headers fit in one read of this size; a longer one takes a second. */
const FIRST_READ_BYTES = 128 * 1024;

/** Bytes that can be read at any place: a file, or a remote file by ranges. */
export interface ByteSource {
  /** What messages call it. */
  readonly name: string;
  /** What `StoredTensor.file` says: an absolute path, symbolic links resolved, or an address. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Exactly the bytes `[begin, end)`. */
  read(begin: number, end: number): Promise<Uint8Array>;
}

/** A checked header; `N` is the length that stands in its first 8 bytes. */
export interface SafetensorsHeader {
  /** Where the data starts: 8 + N. */
  readonly dataStart: number;
  readonly metadata: ReadonlyMap<string, string> | null;
  /** By offset. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** What the reference reader accepts although the specification does not. */
  readonly deviations: readonly string[];
}

/**
 * Reads and checks a header; never a weight.
 * @throws SafetensorsError for every rule of the reference reader, see `SafetensorsErrorCode`.
 */
export async function readHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const { json, dataStart } = await readHeaderText(source);
  const parsed = parseHeader(json, source.name);
  const laidOut = checkLayout(parsed.entries, source.sizeBytes - dataStart, source.name);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of laidOut) {
    tensors.set(name, { dtype, shape, file: source.path, begin: dataStart + begin, end: dataStart + end });
  }
  return { dataStart, metadata: parsed.metadata, tensors, deviations: deviations(json, parsed) };
}

/** The header's text, undecoded JSON, after the checks on its length and encoding. */
export async function readHeaderText(source: ByteSource): Promise<{ json: string; dataStart: number }> {
  const { name, sizeBytes } = source;
  if (sizeBytes < 8) {
    throw new SafetensorsError(
      'HEADER_TOO_SMALL',
      name,
      `has ${sizeBytes} bytes; a safetensors file begins with 8 bytes of header length`,
      { hint: CUT_OFF },
    );
  }
  const first = await source.read(0, Math.min(sizeBytes, FIRST_READ_BYTES));
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw lengthFault(
      'HEADER_TOO_LARGE',
      source,
      first,
      `states a header of ${length} bytes; the limit is ${MAX_HEADER_BYTES}`,
    );
  }
  const dataStart = 8 + Number(length);
  if (dataStart > sizeBytes) {
    throw lengthFault(
      'INVALID_HEADER_LENGTH',
      source,
      first,
      `states a header of ${length} bytes, but has only ${sizeBytes} bytes in all`,
    );
  }
  const header = dataStart <= first.length ? first.subarray(8, dataStart) : await source.read(8, dataStart);
  try {
    return { json: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header), dataStart };
  } catch (cause) {
    throw new SafetensorsError('INVALID_HEADER', name, 'the header is not UTF-8', { cause });
  }
}

function lengthFault(
  code: 'HEADER_TOO_LARGE' | 'INVALID_HEADER_LENGTH',
  source: ByteSource,
  first: Uint8Array,
  message: string,
): SafetensorsError {
  const foreign = foreignFormat(first);
  if (foreign === undefined) {
    return new SafetensorsError(code, source.name, message, {
      hint: 'It is damaged, or no safetensors file: fetch it again, or give the file that has the weights.',
    });
  }
  return new SafetensorsError('NOT_SAFETENSORS', source.name, `is not a safetensors file but ${foreign.what}`, {
    hint: foreign.hint,
    details: { reference: code },
  });
}

function deviations(json: string, parsed: ParsedHeader): string[] {
  const found: string[] = [];
  if (!json.startsWith('{')) found.push('white space before the "{" of the header');
  const [first, ...others] = parsed.withExtraFields;
  if (first !== undefined) {
    const more = others.length > 0 ? ` and ${others.length} more tensors` : '';
    found.push(`fields that the format does not know in the entry of ${quote(first)}${more}`);
  }
  return found;
}
