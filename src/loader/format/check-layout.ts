/**
 * Where tensors lie: sorted by offset, the first begins at 0, each begins where the one before it ended, each is exactly
 * as long as its shape and dtype say, and the last ends with the file. No holes, no overlap, no trailing bytes.
 *
 * The checks run in the order of the reference reader (`Metadata::validate` in safetensors 0.8), so that a file that
 * breaks several rules gets the same name for its fault.
 */
import { DTYPE_BITS } from '../../tensor/dtype.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import type { HeaderEntry } from './parsed-header.js';
import { quote } from './quote.js';
import { CUT_OFF } from './foreign-format.js';
import { SafetensorsError } from './safetensors-error.js';
import { multiplyU64, narrow, subtractU64, type U64 } from './u64.js';

/** A tensor and its bytes, counted from the first byte after the header. */
interface LaidOutTensor extends TensorInfo {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

/**
 * @param dataBytes length of the file after its header.
 * @returns the tensors by offset; tensors without bytes keep the order of the header.
 * @throws SafetensorsError `INVALID_OFFSET`, `VALIDATION_OVERFLOW`, `MISALIGNED_SLICE`, `TENSOR_INVALID_INFO`,
 *   `METADATA_INCOMPLETE_BUFFER`, `UNSAFE_INTEGER`.
 */
export function checkLayout(entries: readonly HeaderEntry[], dataBytes: number, file: string): LaidOutTensor[] {
  const sorted = entries.toSorted((a, b) => compare(a.begin, b.begin) || compare(a.end, b.end));
  let end: U64 = 0;
  let previous: HeaderEntry | undefined;
  for (const entry of sorted) {
    if (entry.begin !== end || entry.end < entry.begin) throw invalidOffset(entry, previous, end, file);
    const sizeBytes = storedBytes(entry, file);
    const spanBytes = subtractU64(entry.end, entry.begin);
    if (spanBytes !== sizeBytes) {
      throw fault(
        'TENSOR_INVALID_INFO',
        entry,
        file,
        `${describe(entry)} needs ${sizeBytes} bytes, but data_offsets span ${spanBytes}`,
      );
    }
    end = entry.end;
    previous = entry;
  }
  if (end !== dataBytes) {
    const difference =
      end < dataBytes
        ? `${BigInt(dataBytes) - BigInt(end)} bytes too long`
        : `${BigInt(end) - BigInt(dataBytes)} bytes short`;
    throw new SafetensorsError(
      'METADATA_INCOMPLETE_BUFFER',
      file,
      `tensors cover ${end} bytes of data, the file has ${dataBytes}: it is ${difference}`,
      {
        hint: end < dataBytes ? '`blip2-shard repair` writes the file without its trailing bytes.' : CUT_OFF,
        details: { coveredBytes: String(end), dataBytes },
      },
    );
  }
  return sorted.map((entry) => ({
    name: entry.name,
    dtype: entry.dtype,
    shape: entry.shape.map((dim) => safe(dim, entry, file)),
    begin: safe(entry.begin, entry, file),
    end: safe(entry.end, entry, file),
  }));
}

function compare(a: U64, b: U64): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Bytes that shape and dtype ask for. Dimensions are multiplied left to right, so `[0, 2^63, 9]` is 0 and does not overflow. */
function storedBytes(entry: HeaderEntry, file: string): U64 {
  let bits: U64 | undefined = 1;
  for (const factor of [...entry.shape, DTYPE_BITS[entry.dtype]]) {
    bits = multiplyU64(bits, factor);
    if (bits === undefined)
      throw fault('VALIDATION_OVERFLOW', entry, file, `${describe(entry)} has more than 2^64 - 1 elements or bits`);
  }
  if (typeof bits === 'number' ? bits % 8 !== 0 : bits % 8n !== 0n) {
    throw fault('MISALIGNED_SLICE', entry, file, `${describe(entry)} takes ${bits} bits, not a whole number of bytes`);
  }
  return typeof bits === 'number' ? bits / 8 : narrow(bits / 8n);
}

function invalidOffset(
  entry: HeaderEntry,
  previous: HeaderEntry | undefined,
  end: U64,
  file: string,
): SafetensorsError {
  const after =
    previous === undefined ? 'the first tensor has to begin at 0' : `${quote(previous.name)} before it ends at ${end}`;
  const rule = entry.end < entry.begin ? 'it ends before it begins' : after;
  return fault(
    'INVALID_OFFSET',
    entry,
    file,
    `${quote(entry.name)} has data_offsets [${entry.begin}, ${entry.end}]: ${rule}`,
    previous?.name,
  );
}

function safe(value: U64, entry: HeaderEntry, file: string): number {
  if (typeof value === 'number') return value;
  throw fault('UNSAFE_INTEGER', entry, file, `${describe(entry)} has the number ${value}, above 2^53 - 1`);
}

function fault(
  code: 'INVALID_OFFSET' | 'VALIDATION_OVERFLOW' | 'MISALIGNED_SLICE' | 'TENSOR_INVALID_INFO' | 'UNSAFE_INTEGER',
  entry: HeaderEntry,
  file: string,
  message: string,
  previous?: string,
): SafetensorsError {
  return new SafetensorsError(code, file, message, {
    tensor: entry.name,
    ...(previous === undefined ? {} : { details: { previous } }),
  });
}

function describe(entry: HeaderEntry): string {
  const dims = entry.shape.slice(0, 8).join(', ') + (entry.shape.length > 8 ? ', …' : '');
  return `${quote(entry.name)} (${entry.dtype} [${dims}])`;
}
