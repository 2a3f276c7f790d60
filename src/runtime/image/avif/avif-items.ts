import { boxesWithin, nameAt, type Box } from './boxes.js';

export interface Item {
  /** `av01` for a picture, `grid` for one made of others. */
  readonly kind: string;
  readonly properties: readonly Box[];
  /** Where in the file its data begins. */
  readonly offset: number;
  readonly data: Uint8Array;
}

export interface Items {
  readonly primary: Item;
  /** Whether another item holds the primary one's alpha. */
  readonly alpha: boolean;
  /** Whether its colours were multiplied by that alpha. */
  readonly premultiplied: boolean;
}

/**
 * The picture that a HEIF file shows.
 * @param meta boxes of its `meta` box
 * @throws Error or RangeError for a file that is not whole
 */
export function readItems(bytes: Uint8Array, meta: readonly Box[]): Items {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const find = (kind: string): Box => {
    const found = meta.find((other) => other.kind === kind);
    if (found === undefined) throw new Error(`it has no "${kind}" box`);
    return found;
  };
  const id = primaryId(file, find('pitm'));
  const properties = propertiesByItem(file, find('iprp'));
  const extents = extentsByItem(file, find('iloc')).get(id);
  if (extents === undefined) throw new Error('nothing says where its picture is');
  const [base] = extents;
  if (base === undefined) throw new Error('its picture has no data');
  if (extents.some(({ offset, length }) => offset + length > bytes.length)) {
    throw new RangeError('its picture ends beyond the file');
  }
  const parts = extents.map(({ offset, length }) => bytes.subarray(offset, offset + length));
  const references = referencesOf(file, meta);
  const alpha = references
    .filter(({ kind, to }) => kind === 'auxl' && to.includes(id))
    .some(({ from }) => (properties.get(from) ?? []).some((property) => isAlpha(file, property)));
  return {
    primary: {
      kind: kinds(file, find('iinf')).get(id) ?? '',
      properties: properties.get(id) ?? [],
      offset: base.offset,
      data: parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts),
    },
    alpha,
    premultiplied: references.some(({ kind, from }) => kind === 'prem' && from === id),
  };
}

const versionOf = (file: DataView, { begin }: Box): number => file.getUint8(begin);

const primaryId = (file: DataView, pitm: Box): number =>
  versionOf(file, pitm) === 0 ? file.getUint16(pitm.begin + 4) : file.getUint32(pitm.begin + 4);

function kinds(file: DataView, iinf: Box): Map<number, string> {
  const entries = boxesWithin(file, iinf.begin + (versionOf(file, iinf) === 0 ? 6 : 8), iinf.end);
  return new Map(
    entries.map((entry) => {
      const short = versionOf(file, entry) < 3;
      const id = short ? file.getUint16(entry.begin + 4) : file.getUint32(entry.begin + 4);
      return [id, nameAt(file, entry.begin + (short ? 8 : 10))];
    }),
  );
}

interface Extent {
  readonly offset: number;
  readonly length: number;
}

function extentsByItem(file: DataView, iloc: Box): Map<number, readonly Extent[]> {
  const version = versionOf(file, iloc);
  const sizes = file.getUint16(iloc.begin + 4);
  const [offsetBytes, lengthBytes, baseBytes] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexBytes = version === 0 ? 0 : sizes & 15;
  let at = iloc.begin + 6;
  const next = (bytes: number): number => {
    at += bytes;
    if (bytes === 0) return 0;
    if (bytes === 2) return file.getUint16(at - 2);
    return bytes === 4 ? file.getUint32(at - 4) : Number(file.getBigUint64(at - 8));
  };
  const found = new Map<number, readonly Extent[]>();
  const count = next(version < 2 ? 2 : 4);
  for (let item = 0; item < count; item++) {
    const id = next(version < 2 ? 2 : 4);
    const method = version === 0 ? 0 : next(2) & 15;
    next(2);
    const base = next(baseBytes);
    const extents = Array.from({ length: next(2) }, () => {
      next(indexBytes);
      return { offset: base + next(offsetBytes), length: next(lengthBytes) };
    });
    // Data within the meta box, or made of other items, is no picture's of those that are read.
    if (method === 0) found.set(id, extents);
  }
  return found;
}

function propertiesByItem(file: DataView, iprp: Box): Map<number, Box[]> {
  const inside = boxesWithin(file, iprp.begin, iprp.end);
  const ipco = inside.find(({ kind }) => kind === 'ipco');
  const all = ipco === undefined ? [] : boxesWithin(file, ipco.begin, ipco.end);
  const byItem = new Map<number, Box[]>();
  for (const ipma of inside.filter(({ kind }) => kind === 'ipma')) {
    const long = (file.getUint32(ipma.begin) & 1) !== 0;
    const idBytes = versionOf(file, ipma) === 0 ? 2 : 4;
    let at = ipma.begin + 8;
    for (let left = file.getUint32(ipma.begin + 4); left > 0; left--) {
      const id = idBytes === 2 ? file.getUint16(at) : file.getUint32(at);
      const count = file.getUint8(at + idBytes);
      at += idBytes + 1;
      const boxes = Array.from({ length: count }, (_, i) =>
        long ? file.getUint16(at + 2 * i) & 0x7fff : file.getUint8(at + i) & 0x7f,
      ).flatMap((index) => all[index - 1] ?? []);
      at += count * (long ? 2 : 1);
      byItem.set(id, [...(byItem.get(id) ?? []), ...boxes]);
    }
  }
  return byItem;
}

interface Reference {
  readonly kind: string;
  readonly from: number;
  readonly to: readonly number[];
}

function referencesOf(file: DataView, meta: readonly Box[]): Reference[] {
  const iref = meta.find(({ kind }) => kind === 'iref');
  if (iref === undefined) return [];
  const long = versionOf(file, iref) > 0;
  const idAt = (at: number): number => (long ? file.getUint32(at) : file.getUint16(at));
  const bytes = long ? 4 : 2;
  return boxesWithin(file, iref.begin + 4, iref.end).map(({ kind, begin }) => ({
    kind,
    from: idAt(begin),
    to: Array.from({ length: file.getUint16(begin + bytes) }, (_, i) => idAt(begin + bytes + 2 + i * bytes)),
  }));
}

const ALPHA_NAMES = /^urn:mpeg:(?:mpegB:cicp:systems:auxiliary:alpha|hevc:2015:auxid:1)\0/;

function isAlpha(file: DataView, { kind, begin, end }: Box): boolean {
  if (kind !== 'auxC') return false;
  return ALPHA_NAMES.test(Buffer.from(file.buffer, file.byteOffset + begin + 4, end - begin - 4).toString('latin1'));
}
