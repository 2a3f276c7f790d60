/** What Pillow learns of a JPEG, and refuses, before its decoder sees it: everything up to the first scan. */

export interface JpegHeader {
  readonly channels: number;
  /** Whether pixels are whole only at the end of the file, as in progressive ones. */
  readonly hasManyScans: boolean;
  /** How often the first scan's data start anew behind a marker. */
  readonly restarts: number;
  /** Offset of the first scan's data. */
  readonly dataBegin: number;
}

/** @throws Error where Pillow refuses the file, RangeError where that is because it ends */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [channels, isProgressive, units, interval] = [0, false, 0, 0];
  // Behind SOI and the first byte of the first marker.
  for (let at = 3; ;) {
    const marker = file.getUint8(at);
    at++;
    if (marker === PADDING) continue;
    if (marker > 0 && marker < FIRST_MARKER) throw new Error('a marker of its header is unknown');
    if (hasSegment(marker)) {
      const end = at + Math.max(2, file.getUint16(at));
      if (end > bytes.length) throw new RangeError('it ends within its header');
      const segment = bytes.subarray(at + 2, end);
      if (marker === START_OF_SCAN) {
        const hasManyScans = isProgressive || segment[0] !== channels;
        const restarts = interval > 0 ? Math.ceil(units / interval) - 1 : 0;
        if (channels > 0) return { channels, hasManyScans, restarts, dataBegin: end };
        throw new Error('its first scan comes before its size');
      }
      if (isFrame(marker)) {
        channels = channelsOf(segment);
        isProgressive = marker === 0xc2 || marker === 0xca;
        units = unitsOf(segment, marker === 0xc3 || marker === 0xcb ? 1 : 8);
      }
      if (marker === RESTART_INTERVAL) interval = 256 * (segment[0] ?? 0) + (segment[1] ?? 0);
      checkSegment(marker, segment);
      at = end;
    }
    at = bytes.indexOf(PADDING, at) + 1;
    if (at === 0) throw new RangeError('it ends before its pixels');
  }
}

export const START_OF_SCAN = 0xda;
const [PADDING, FIRST_MARKER, RESTART_INTERVAL] = [0xff, 0xc0, 0xdd];

/** All but 0 (an escaped byte), JPG, restarts, start and end of the picture, and JPG0 to JPG13. */
function hasSegment(marker: number): boolean {
  return (
    marker >= FIRST_MARKER && marker !== 0xc8 && (marker < 0xd0 || marker > 0xd9) && (marker < 0xf0 || marker > 0xfd)
  );
}

/** Start of frame: SOF0 to SOF15, of which three numbers are other markers; Pillow takes DHP for one. */
function isFrame(marker: number): boolean {
  const isNumbered = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
  return isNumbered || marker === 0xde;
}

function channelsOf(frame: Uint8Array): number {
  const [bits, channels] = [frame[0] ?? 0, frame[5] ?? 0];
  if (bits !== 8) throw new Error(`its levels have ${bits} bits`);
  if (channels !== 1 && channels !== 3 && channels !== 4) throw new Error(`it has ${channels} channels`);
  if ((frame.length - 6) % 3 !== 0) throw new Error('its frame header is cut short');
  return channels;
}

/**
 * Units that restarts are counted in, of a scan of all channels: as many blocks of each as its sampling factors say.
 * @param blockSize pixels a side; 1 where no cosines are taken
 */
function unitsOf(frame: Uint8Array, blockSize: number): number {
  const [height, width] = [256 * (frame[1] ?? 0) + (frame[2] ?? 0), 256 * (frame[3] ?? 0) + (frame[4] ?? 0)];
  const factors = Array.from({ length: (frame.length - 6) / 3 }, (_, channel) => frame[7 + channel * 3] ?? 0);
  const isOne = factors.length === 1;
  const across = isOne ? 1 : Math.max(...factors.map((factor) => factor >> 4));
  const down = isOne ? 1 : Math.max(...factors.map((factor) => factor & 15));
  return Math.ceil(width / (blockSize * across)) * Math.ceil(height / (blockSize * down));
}

/** Application data by marker and first letters -> bytes that Pillow reads of it. */
const APPLICATIONS: readonly (readonly [number, string, number])[] = [
  [0xe0, 'JFIF', 7],
  [0xe2, 'ICC_PROFILE\0', 14],
  [0xee, 'Adobe', 7],
];

function checkSegment(marker: number, segment: Uint8Array): void {
  if (marker === 0xdb) {
    for (let at = 0; at < segment.length; at += 1 + 64 * ((segment[at] ?? 0) < 16 ? 1 : 2)) {
      const tableBytes = 64 * ((segment[at] ?? 0) < 16 ? 1 : 2);
      if (at + 1 + tableBytes > segment.length) throw new Error('a quantization table is cut short');
    }
  }
  const text = (bytes: number): string => Buffer.from(segment.subarray(0, bytes)).toString('latin1');
  for (const [own, letters, leastBytes] of APPLICATIONS) {
    if (marker === own && text(letters.length) === letters && segment.length < leastBytes) {
      throw new Error(`its ${letters.replace('\0', '')} segment is cut short`);
    }
  }
}
