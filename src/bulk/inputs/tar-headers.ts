/**
 * A tar archive as the library reads it, without the bytes of its members: zeros stand in their place, so that listing a
 * large archive reads its headers and a sample of each member. It ends where other readers end it, at the first empty block: what
 * follows is garbage, or another archive that was appended.
 */
import { memberMark, samplePlaces } from './member-mark.js';
import type { TarFile } from './tar-file.js';

const BLOCK_BYTES = 512;
const ZEROS = Buffer.alloc(1 << 20);
/** Headers whose bytes say something about the next member: PAX records and GNU's long names. */
const EXTENSION_TYPES = /^[xgLK]$/;
/** Links, devices and FIFOs: some readers look for as many bytes behind them as they state, and some for none. */
const WITHOUT_DATA = /^[12346]$/;
/** Whose size, where one is stated, is not of anything in the archive. */
const DIRECTORY = '5';
const SPACE = 0x20;
/** Far above what names need, as the library has it. */
const MOST_EXTENSION_BYTES = 4 * 1024 * 1024;

/**
 * @param onMember called with where a member's bytes begin and what marks them, before its header is given
 * @throws Error where the archive ends in the middle of something
 */
export async function* tarHeaders(
  tar: TarFile,
  onMember: (offset: number, mark: string) => void,
): AsyncGenerator<Uint8Array, void> {
  let offset = 0;
  let statedBytes: number | undefined;
  for (;;) {
    const header = await tar.read(offset, BLOCK_BYTES);
    if (header.length === 0 && offset === 0) throw new Error('it is empty');
    if (header.every((byte) => byte === 0)) return;
    if (header.length < BLOCK_BYTES) throw new Error(`it ends inside a header at byte ${offset}`);
    offset += BLOCK_BYTES;
    const type = String.fromCharCode(header[156] ?? 0);
    const isExtension = EXTENSION_TYPES.test(type);
    const stated = isExtension ? sizeField(header) : (statedBytes ?? sizeField(header));
    const size = type === DIRECTORY ? 0 : stated;
    const mark = isExtension || !Number.isSafeInteger(size) ? null : await markAt(tar, offset, size);
    if (mark !== null) onMember(offset, mark);
    // The library says what is wrong with a header that is none.
    yield header;
    if (size > 0 && WITHOUT_DATA.test(type)) {
      throw new Error(`the header before byte ${offset} is of a link or device, and states ${size} bytes`);
    }
    if (!Number.isSafeInteger(size)) throw new Error(`the header before byte ${offset} states no size`);
    const paddedBytes = Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
    if (isExtension) {
      if (size > MOST_EXTENSION_BYTES) throw new Error(`the header before byte ${offset} has ${size} bytes`);
      const extension = await tar.read(offset, size);
      if (extension.length < size) throw new Error(`it ends inside a header at byte ${offset}`);
      yield extension;
      yield ZEROS.subarray(0, paddedBytes - size);
      if (type === 'x') statedBytes = paxSize(extension);
    } else {
      if (mark === null) throw new Error(`it ends inside the member at byte ${offset}`);
      yield* zeros(paddedBytes);
      statedBytes = undefined;
    }
    offset += paddedBytes;
  }
}

/** @returns null where the archive ends in the middle of it */
async function markAt(tar: TarFile, offset: number, size: number): Promise<string | null> {
  const samples: Uint8Array[] = [];
  for (const [begin, end] of samplePlaces(size)) {
    const sample = await tar.read(offset + begin, end - begin);
    if (sample.length < end - begin) return null;
    samples.push(sample);
  }
  return memberMark(samples);
}

function* zeros(bytes: number): Generator<Uint8Array, void> {
  for (let left = bytes; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
}

/** Octal digits, or big-endian bytes behind a first byte of 0x80. */
function sizeField(header: Uint8Array): number {
  const field = header.subarray(124, 136);
  if (field[0] === 0x80) return field.subarray(1).reduce((size, byte) => size * 256 + byte, 0);
  const digits = /^[ 0-7]*/.exec(Buffer.from(field).toString('latin1'))?.[0].trim() ?? '';
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

/** Records are `length key=value\n`, the length being of all of it; a value may hold anything, also what looks like a record. */
function paxSize(records: Uint8Array): number | undefined {
  let size: number | undefined;
  for (let at = 0; at < records.length;) {
    const space = records.indexOf(SPACE, at);
    const length = Number(Buffer.from(records.subarray(at, space)).toString('latin1'));
    // One that ends before its value is none: to go on inside its digits could take hours.
    if (space < 0 || !Number.isSafeInteger(length) || at + length <= space) break;
    const record = Buffer.from(records.subarray(space + 1, at + length)).toString('latin1');
    const stated = /^size=(\d+)\n$/.exec(record)?.[1];
    if (stated !== undefined) size = Number(stated);
    at += length;
  }
  return size;
}
