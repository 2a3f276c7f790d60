/** The directory of a TIFF's first page: what its entries are, and a copy of the file that has others. */

export interface TiffEntry {
  readonly type: number;
  readonly count: number;
  /** Where in the file its values stand. */
  readonly at: number;
  /** As it is stored. */
  readonly record: Uint8Array;
}

export interface TiffDirectory {
  readonly littleEndian: boolean;
  /** Whether offsets have 8 bytes (BigTIFF). */
  readonly big: boolean;
  readonly entries: ReadonlyMap<number, TiffEntry>;
  readonly begin: number;
  /** Behind the offset of the next page. */
  readonly end: number;
  /** Whether each tag stands in it once, and no page follows. */
  readonly isPlain: boolean;
}

/** Bytes of one value by type number; other types are not those of the tags that are read. */
const TYPE_BYTES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 16: 8 };
const LONG = 4;

/** Bytes of a directory's count of entries, of an entry, and of an offset. */
const sizes = (big: boolean) =>
  big ? { countBytes: 8, entryBytes: 20, offsetBytes: 8 } : { countBytes: 2, entryBytes: 12, offsetBytes: 4 };

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** @throws RangeError for a file that ends too early */
export function readDirectory(bytes: Uint8Array): TiffDirectory {
  const file = viewOf(bytes);
  const little = bytes[0] === 0x49;
  const big = file.getUint16(2, little) === 43;
  const { countBytes, entryBytes, offsetBytes } = sizes(big);
  const far = (at: number): number => (big ? Number(file.getBigUint64(at, little)) : file.getUint32(at, little));
  const begin = far(big ? 8 : 4);
  const count = big ? far(begin) : file.getUint16(begin, little);
  const entries = new Map<number, TiffEntry>();
  for (let i = 0; i < count; i++) {
    const at = begin + countBytes + i * entryBytes;
    const type = file.getUint16(at + 2, little);
    const values = far(at + 4);
    const valueAt = at + entryBytes - offsetBytes;
    const isFar = (TYPE_BYTES[type] ?? 0) * values > offsetBytes;
    const record = bytes.subarray(at, at + entryBytes);
    entries.set(file.getUint16(at, little), { type, count: values, at: isFar ? far(valueAt) : valueAt, record });
  }
  const last = begin + countBytes + count * entryBytes;
  const end = last + offsetBytes;
  const isPlain = entries.size === count && bytes.subarray(last, end).every((byte) => byte === 0);
  return { littleEndian: little, big, entries, begin, end, isPlain };
}

/** @throws RangeError for values that lie beyond the end of the file */
export function valuesOf(bytes: Uint8Array, { littleEndian }: TiffDirectory, entry: TiffEntry): number[] {
  const size = TYPE_BYTES[entry.type] ?? 0;
  if (size === 0) return [];
  const { at, count } = entry;
  const file = viewOf(bytes);
  if (at + size * count > file.byteLength) throw new RangeError('a tag points beyond its end');
  return Array.from({ length: count }, (_, i) => {
    const place = at + i * size;
    if (size === 1) return file.getUint8(place);
    if (size === 2) return file.getUint16(place, littleEndian);
    return size === 4 ? file.getUint32(place, littleEndian) : Number(file.getBigUint64(place, littleEndian));
  });
}

/**
 * A copy of the file that has one page.
 * @param entries by tag, no more than it had: one that it has, also of another tag, or a number
 */
export function withDirectory(
  bytes: Uint8Array,
  directory: TiffDirectory,
  entries: ReadonlyMap<number, TiffEntry | number>,
): Uint8Array {
  const { littleEndian: little, big, begin, end } = directory;
  const { countBytes, entryBytes } = sizes(big);
  const copy = Uint8Array.from(bytes);
  copy.fill(0, begin, end);
  const file = viewOf(copy);
  // The upper bytes are zero, whichever side they are on.
  const setCount = (at: number, value: number): void =>
    big ? file.setBigUint64(at, BigInt(value), little) : file.setUint32(at, value, little);
  if (big) setCount(begin, entries.size);
  else file.setUint16(begin, entries.size, little);
  const sorted = [...entries].sort(([a], [b]) => a - b);
  for (const [i, [tag, entry]] of sorted.entries()) {
    const at = begin + countBytes + i * entryBytes;
    if (typeof entry === 'number') {
      file.setUint16(at + 2, LONG, little);
      setCount(at + 4, 1);
      file.setUint32(at + (big ? 12 : 8), entry, little);
    } else copy.set(entry.record, at);
    file.setUint16(at, tag, little);
  }
  return copy;
}
