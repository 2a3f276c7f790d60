/** Boxes of an ISO base media file: a size, a name of four letters, and what is in it. */
export interface Box {
  readonly kind: string;
  /** What comes after size and name. */
  readonly begin: number;
  readonly end: number;
}

/** @throws RangeError for a box that is larger than what it lies in */
export function boxesWithin(file: DataView, begin: number, end: number): Box[] {
  const boxes = wholeBoxes(file, begin, end);
  if ((boxes.at(-1)?.end ?? begin) < end) throw new RangeError('one of its boxes is larger than what it lies in');
  return boxes;
}

/** Those of a file, up to what is no whole box: libavif reads no further than it has to, so that what follows does not matter. */
export const topBoxes = (file: DataView): Box[] => wholeBoxes(file, 0, file.byteLength);

function wholeBoxes(file: DataView, begin: number, end: number): Box[] {
  const boxes: Box[] = [];
  for (let at = begin; at + 8 <= end;) {
    const size = file.getUint32(at);
    const large = size === 1;
    const head = large ? 16 : 8;
    if (at + head > end) break;
    const bytes = large ? Number(file.getBigUint64(at + 8)) : size === 0 ? end - at : size;
    if (bytes < head || at + bytes > end) break;
    boxes.push({ kind: nameAt(file, at + 4), begin: at + head, end: at + bytes });
    at += bytes;
  }
  return boxes;
}

export const nameAt = (file: DataView, at: number): string =>
  String.fromCharCode(...new Uint8Array(file.buffer, file.byteOffset + at, 4));

/** The boxes inside the first one of each of these names, each lying in the one before. */
export function boxesAt(file: DataView, boxes: readonly Box[], ...path: readonly string[]): Box[] {
  let inside = [...boxes];
  for (const kind of path) {
    const box = inside.find((other) => other.kind === kind);
    if (box === undefined) return [];
    inside = boxesWithin(file, box.begin + (FULL_BOXES.has(kind) ? 4 : 0), box.end);
  }
  return inside;
}

/** Boxes that begin with a version and flags, and hold boxes. */
const FULL_BOXES = new Set(['meta', 'iref']);

/** Writes a box around its parts. */
export function writtenBox(kind: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8);
  head.write(kind, 4, 'latin1');
  return Buffer.concat([head, body]);
}
