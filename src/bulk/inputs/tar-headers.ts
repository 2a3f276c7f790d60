/**
 * A tar archive as the library reads it, without the bytes of its members: zeros stand in their place, so that listing a
 * large archive reads its headers and nothing else. It ends where other readers end it, at the first empty block: what
 * follows is garbage, or another archive that was appended.
 */
import type { TarFile } from './tar-file.js';

const BLOCK_BYTES = 512;
const ZEROS = Buffer.alloc(1 << 20);
/** Headers whose bytes say something about the next member: PAX records and GNU's long names. */
const EXTENSION_TYPES = /^[xgLK]$/;
/** Links, devices and FIFOs: some readers look for as many bytes behind them as they state, and some for none. */
const WITHOUT_DATA = /^[12346]$/;
/** Whose size, where one is stated, is not of anything in the archive. */
const DIRECTORY = '5';
/** Far above what names need, as the library has it. */
const MOST_EXTENSION_BYTES = 4 * 1024 * 1024;

/** @throws Error where the archive ends in the middle of something */
export async function* tarHeaders(tar: TarFile): AsyncGenerator<Uint8Array, void> {
  let offset = 0;
  let statedBytes: number | undefined;
  for (;;) {
    const header = await tar.read(offset, BLOCK_BYTES);
    if (header.every((byte) => byte === 0)) return;
    if (header.length < BLOCK_BYTES) throw new Error(`it ends inside a header at byte ${offset}`);
    yield header;
    offset += BLOCK_BYTES;
    const type = String.fromCharCode(header[156] ?? 0);
    const stated = EXTENSION_TYPES.test(type) ? sizeField(header) : (statedBytes ?? sizeField(header));
    const size = type === DIRECTORY ? 0 : stated;
    if (size > 0 && WITHOUT_DATA.test(type)) {
      throw new Error(`the header before byte ${offset} is of a link or device, and states ${size} bytes`);
    }
    if (!Number.isSafeInteger(size)) throw new Error(`the header before byte ${offset} states no size`);
    const paddedBytes = Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
    if (EXTENSION_TYPES.test(type)) {
      if (size > MOST_EXTENSION_BYTES) throw new Error(`the header before byte ${offset} has ${size} bytes`);
      const extension = await tar.read(offset, size);
      if (extension.length < size) throw new Error(`it ends inside a header at byte ${offset}`);
      yield extension;
      yield ZEROS.subarray(0, paddedBytes - size);
      if (type === 'x') statedBytes = paxSize(extension);
    } else {
      // The last byte of a member shows that all of it is there.
      if (size > 0 && (await tar.read(offset + size - 1, 1)).length === 0) {
        throw new Error(`it ends inside the member at byte ${offset}`);
      }
      yield* zeros(paddedBytes);
      statedBytes = undefined;
    }
    offset += paddedBytes;
  }
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

function paxSize(records: Uint8Array): number | undefined {
  const size = /(?:^|\n)\d+ size=(\d+)\n/.exec(Buffer.from(records).toString('latin1'))?.[1];
  return size === undefined ? undefined : Number(size);
}
