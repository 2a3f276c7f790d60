/**
 * The header's JSON, read by the reference reader's grammar: one object whose values are tensor entries, but for
 * `__metadata__`, a flat map of strings. Where the entries lie is checked elsewhere (`check-layout.ts`).
 */
import { DTYPE_BITS, isDtype, type Dtype } from '../../tensor/dtype.js';
import { parseCanonicalHeader } from './canonical-header.js';
import type { HeaderEntry, ParsedHeader } from './parsed-header.js';
import { JsonError, JsonScanner } from './json-scanner.js';
import { quote, shorten } from './quote.js';
import { SafetensorsError } from './safetensors-error.js';
import { parseU64, type U64 } from './u64.js';

const PLAIN_INTEGER = /^\d+$/;

/**
 * @param file what messages call the file.
 * @throws SafetensorsError `INVALID_HEADER_DESERIALIZATION`, or `DUPLICATE_KEY` for a tensor name or a metadata key that
 *   stands twice (the specification forbids it; the reference keeps the last).
 */
export function parseHeader(json: string, file: string): ParsedHeader {
  return parseCanonicalHeader(json) ?? scanHeader(json, file);
}

interface ScanOptions {
  /** Take the last of two equal keys, as the reference reader does, instead of refusing. */
  readonly keepLastDuplicate?: boolean;
}

/** Reads any header, also one that the fast way gives no verdict on. */
export function scanHeader(json: string, file: string, { keepLastDuplicate = false }: ScanOptions = {}): ParsedHeader {
  const scanner = new JsonScanner(json);
  const entries = new Map<string, HeaderEntry>();
  const withExtraFields: string[] = [];
  let metadata: ReadonlyMap<string, string> | null | undefined;
  let current: string | undefined;
  try {
    scanner.object('header', (name) => {
      current = name;
      if (name === '__metadata__') {
        if (metadata !== undefined) scanner.fail('__metadata__ stands twice');
        metadata = scanner.null() ? null : readMetadata(scanner, file, keepLastDuplicate);
        return;
      }
      if (entries.has(name) && !keepLastDuplicate)
        throw duplicate(file, `tensor ${quote(name)} stands twice in the header`, name);
      const { entry, extraFields } = readEntry(scanner, name);
      entries.set(name, entry);
      if (extraFields) withExtraFields.push(name);
    });
    current = undefined;
    scanner.end();
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const where = current === undefined ? '' : `${quote(current)}: `;
    throw new SafetensorsError('INVALID_HEADER_DESERIALIZATION', file, `invalid header: ${where}${error.message}`, {
      ...(current === undefined ? {} : { tensor: current }),
      details: { at: error.at },
    });
  }
  return { metadata: metadata ?? null, entries: [...entries.values()], withExtraFields };
}

function readMetadata(scanner: JsonScanner, file: string, keepLastDuplicate: boolean): Map<string, string> {
  const metadata = new Map<string, string>();
  scanner.object('__metadata__', (key) => {
    if (metadata.has(key) && !keepLastDuplicate)
      throw duplicate(file, `key ${quote(key)} stands twice in __metadata__`);
    metadata.set(key, scanner.string(`__metadata__ key ${quote(key)}`));
  });
  return metadata;
}

function readEntry(scanner: JsonScanner, name: string): { entry: HeaderEntry; extraFields: boolean } {
  let dtype: Dtype | undefined;
  let shape: U64[] | undefined;
  let offsets: U64[] | undefined;
  let extraFields = false;
  scanner.object('tensor entry', (field) => {
    switch (field) {
      case 'dtype':
        if (dtype !== undefined) scanner.fail('duplicate field dtype');
        dtype = readDtype(scanner);
        break;
      case 'shape':
        if (shape !== undefined) scanner.fail('duplicate field shape');
        shape = readIntegers(scanner, 'shape');
        break;
      case 'data_offsets':
        if (offsets !== undefined) scanner.fail('duplicate field data_offsets');
        offsets = readIntegers(scanner, 'data_offsets');
        break;
      default:
        extraFields = true;
        scanner.skip();
    }
  });
  if (dtype === undefined) scanner.fail('missing field dtype');
  if (shape === undefined) scanner.fail('missing field shape');
  if (offsets === undefined) scanner.fail('missing field data_offsets');
  const [begin, end, ...rest] = offsets;
  if (begin === undefined || end === undefined || rest.length > 0) {
    scanner.fail(`data_offsets has ${offsets.length} numbers, not 2`);
  }
  return { entry: { name, dtype, shape, begin, end }, extraFields };
}

function readDtype(scanner: JsonScanner): Dtype {
  const dtype = scanner.string('dtype');
  if (isDtype(dtype)) return dtype;
  return scanner.fail(`unknown dtype ${quote(dtype)}, expected one of ${Object.keys(DTYPE_BITS).join(', ')};`);
}

function readIntegers(scanner: JsonScanner, field: string): U64[] {
  const values: U64[] = [];
  scanner.array(field, () => {
    values.push(scanner.shortInteger() ?? readLongInteger(scanner, field));
  });
  return values;
}

function readLongInteger(scanner: JsonScanner, field: string): U64 {
  const text = scanner.number(`item of ${field}`);
  const value = PLAIN_INTEGER.test(text) ? parseU64(text) : undefined;
  return value ?? scanner.fail(`${field} has ${shorten(text)}, not an integer from 0 to 2^64 - 1`);
}

function duplicate(file: string, message: string, tensor?: string): SafetensorsError {
  return new SafetensorsError('DUPLICATE_KEY', file, message, {
    ...(tensor === undefined ? {} : { tensor }),
    hint: 'The specification forbids duplicate keys. `blip2-shard repair` keeps the last one, as the reference reader does.',
  });
}
