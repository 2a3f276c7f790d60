/**
 * What libjpeg says of the bytes behind the pixels. libvips leaves off at the last of them; Pillow has libjpeg read on to the
 * end of the picture, and refuses what is an error there, but only within the piece of the file that held the last pixels.
 */
import { START_OF_SCAN, type JpegHeader } from './jpeg-header.js';

const PIECE_BYTES = 1 << 16;

interface Marker {
  readonly code: number;
  /** Offset of what follows it. */
  readonly end: number;
}

/** @throws Error where Pillow refuses the file for what follows its pixels */
export function checkJpegEnd(bytes: Uint8Array, { dataBegin, hasManyScans, restarts }: JpegHeader): void {
  // Of several scans all are read before there are pixels, by libvips as well.
  if (hasManyScans) return;
  let marker = markerBehindData(bytes, dataBegin, restarts);
  if (marker === undefined) return;
  const pieceBytes = Math.min(bytes.length, Math.ceil(marker.end / PIECE_BYTES) * PIECE_BYTES);
  const piece = new DataView(bytes.buffer, bytes.byteOffset, pieceBytes);
  try {
    while (marker !== undefined && marker.code !== END_OF_PICTURE) {
      marker = nextMarker(bytes.subarray(0, pieceBytes), afterMarker(piece, marker));
    }
  } catch (error) {
    // The piece ends within a segment: Pillow has its pixels and asks for no more.
    if (!(error instanceof RangeError)) throw error;
  }
}

const [END_OF_PICTURE, TEMPORARY, FIRST_MARKER] = [0xd9, 0x01, 0xc0];

const isRestart = (code: number): boolean => code >= 0xd0 && code <= 0xd7;

/** Skips whatever is none, escaped bytes too. */
function nextMarker(bytes: Uint8Array, begin: number): Marker | undefined {
  for (let at = bytes.indexOf(0xff, begin); at >= 0; at = bytes.indexOf(0xff, at)) {
    while (bytes[at] === 0xff) at++;
    const code = bytes[at];
    if (code === undefined) return undefined;
    if (code !== 0) return { code, end: at + 1 };
  }
  return undefined;
}

/** The marker at which the decoder of a scan's data stops. */
function markerBehindData(bytes: Uint8Array, begin: number, restarts: number): Marker | undefined {
  let marker = nextMarker(bytes, begin);
  for (let done = 0; done < restarts && marker !== undefined; done++) {
    // One that is of something else stays, however many restarts are due.
    if (marker.code >= FIRST_MARKER && !isRestart(marker.code)) break;
    marker = afterRestart(bytes, marker, done & 7);
  }
  return marker;
}

/** What libjpeg makes of the marker where one of restart is due: it stays where it may be a later one, or is none. */
function afterRestart(bytes: Uint8Array, found: Marker, due: number): Marker | undefined {
  let marker: Marker | undefined = found;
  for (; marker !== undefined; marker = nextMarker(bytes, marker.end)) {
    if (marker.code < FIRST_MARKER) continue;
    const ahead = isRestart(marker.code) ? (marker.code - due) & 7 : 1;
    if (ahead === 1 || ahead === 2) return marker;
    if (ahead < 6) return nextMarker(bytes, marker.end);
  }
  return undefined;
}

/** @throws Error where the marker or its segment is an error here, RangeError where the piece ends first */
function afterMarker(piece: DataView, { code, end: begin }: Marker): number {
  if (code === TEMPORARY || isRestart(code)) return begin;
  const isApplication = code >= 0xe0 && code <= 0xef;
  const isKnown = isApplication || [0xc4, 0xcc, 0xdb, 0xdc, 0xdd, 0xfe].includes(code);
  if (!isKnown) {
    // Of a scan libjpeg first reads what is in it.
    if (code === START_OF_SCAN) piece.getUint8(begin + scanHeaderBytes(piece, begin) - 1);
    throw new Error(`marker ff${code.toString(16).padStart(2, '0')} follows its pixels`);
  }
  const end = begin + Math.max(2, piece.getUint16(begin));
  const check = TABLES.get(code);
  if (check !== undefined && check(piece, begin + 2, end) !== end) damaged();
  return end;
}

/** All of it, or what shows that its length is wrong. */
function scanHeaderBytes(piece: DataView, begin: number): number {
  const [bytes, channels] = [piece.getUint16(begin), piece.getUint8(begin + 2)];
  return bytes === 2 * channels + 6 && channels <= 4 ? bytes : 3;
}

const damaged = (): never => {
  throw new Error('a table behind its pixels is damaged');
};

/** Marker -> where its tables end, if they are as libjpeg reads them. */
const TABLES: ReadonlyMap<number, (piece: DataView, begin: number, end: number) => number> = new Map([
  [0xc4, afterHuffmanTables],
  [0xcc, afterArithmeticConditions],
  [0xdb, afterQuantizationTables],
  [0xdd, (piece: DataView, begin: number) => (piece.getUint8(begin - 1), begin + 2)],
]);

function afterHuffmanTables(piece: DataView, begin: number, end: number): number {
  let at = begin;
  while (end - at > 16) {
    let symbols = 0;
    for (let length = 1; length <= 16; length++) symbols += piece.getUint8(at + length);
    const next = at + 17 + symbols;
    if (symbols > 256 || next > end) damaged();
    if (symbols > 0) piece.getUint8(next - 1);
    if ((piece.getUint8(at) & ~0x10) > 3) damaged();
    at = next;
  }
  return at;
}

function afterQuantizationTables(piece: DataView, begin: number, end: number): number {
  let at = begin;
  while (at < end) {
    const kind = piece.getUint8(at);
    if ((kind & 15) > 3) damaged();
    at += 1 + 64 * (kind < 16 ? 1 : 2);
    piece.getUint8(at - 1);
  }
  return at;
}

function afterArithmeticConditions(piece: DataView, begin: number, end: number): number {
  let at = begin;
  for (; at < end; at += 2) {
    const [index, value] = [piece.getUint8(at), piece.getUint8(at + 1)];
    if (index > 31 || (index < 16 && (value & 15) > value >> 4)) damaged();
  }
  return at;
}
