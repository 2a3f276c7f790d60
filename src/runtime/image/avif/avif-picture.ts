import { boxesAt, nameAt, topBoxes, type Box } from './boxes.js';
import { readItems, type Item } from './avif-items.js';
import { PictureRefusal } from '../picture-refusal.js';

/** Code points of ITU-T H.273, and whether levels use all of their range. */
export interface ColourCode {
  readonly primaries: number;
  readonly matrix: number;
  readonly fullRange: boolean;
}

/** The picture that an AVIF file shows, still encoded. Turns, mirrors and crops that the file asks for are left out. */
export interface AvifPicture {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly monochrome: boolean;
  /** Whether chroma has half as many columns, or rows. */
  readonly halfWidth: boolean;
  readonly halfHeight: boolean;
  readonly hasAlpha: boolean;
  /** Of the container; where it has none, that of the AV1 data counts. */
  readonly colour: ColourCode | undefined;
  /** Body of the box that tells an AV1 decoder what comes. */
  readonly configuration: Uint8Array;
  readonly data: Uint8Array;
}

/**
 * @throws PictureRefusal for a picture made of tiles, one whose colours were multiplied by alpha, and an animation that does
 *   not begin with its still picture; RangeError or Error for a file that is not whole
 */
export function readAvif(bytes: Uint8Array): AvifPicture {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const top = topBoxes(file);
  const items = readItems(bytes, boxesAt(file, top, 'meta'));
  const { primary, alpha } = items;
  if (primary.kind === 'grid') throw PictureRefusal.unsupported('an AVIF that is put together from tiles');
  if (primary.kind !== 'av01') throw PictureRefusal.unsupported(`an AVIF whose picture is of kind "${primary.kind}"`);
  if (primary.properties.some(({ kind }) => LAYERS.has(kind))) throw PictureRefusal.unsupported('an AVIF in layers');
  if (items.premultiplied) throw PictureRefusal.unsupported('an AVIF whose colours were multiplied by its alpha');
  if (nameAt(file, 8) === 'avis') checkFirstFrame(file, top, primary);
  const [configuration, size] = [propertyOf(primary, 'av1C'), propertyOf(primary, 'ispe')];
  if (configuration.end - configuration.begin < 4) throw new RangeError('its AV1 configuration is cut off');
  const flags = file.getUint8(configuration.begin + 2);
  return {
    width: file.getUint32(size.begin + 4),
    height: file.getUint32(size.begin + 8),
    bits: flags & 0x40 ? (flags & 0x20 ? 12 : 10) : 8,
    monochrome: (flags & 0x10) !== 0,
    halfWidth: (flags & 8) !== 0,
    halfHeight: (flags & 4) !== 0,
    hasAlpha: alpha,
    colour: colourOf(file, primary),
    configuration: bytes.subarray(configuration.begin, configuration.end),
    data: primary.data,
  };
}

/** Which layers of an AV1 picture are meant, and where each ends. */
const LAYERS = new Set(['a1op', 'a1lx', 'lsel']);

function propertyOf(item: Item, kind: string): Box {
  const found = item.properties.find((property) => property.kind === kind);
  if (found === undefined) throw new Error(`its picture has no "${kind}" property`);
  return found;
}

function colourOf(file: DataView, { properties }: Item): ColourCode | undefined {
  const nclx = properties.find(({ kind, begin }) => kind === 'colr' && nameAt(file, begin) === 'nclx');
  if (nclx === undefined) return undefined;
  return {
    primaries: file.getUint16(nclx.begin + 4),
    matrix: file.getUint16(nclx.begin + 8),
    fullRange: (file.getUint8(nclx.begin + 10) & 0x80) !== 0,
  };
}

/** Pillow shows the first frame of an animation's track: it has to be the picture that is read here. */
function checkFirstFrame(file: DataView, top: readonly Box[], primary: Item): void {
  const tracks = boxesAt(file, top, 'moov').filter(({ kind }) => kind === 'trak');
  const starts = tracks.map((track) => {
    const tables = boxesAt(file, [track], 'trak', 'mdia', 'minf', 'stbl');
    const short = tables.find(({ kind }) => kind === 'stco');
    if (short !== undefined) return file.getUint32(short.begin + 8);
    const long = tables.find(({ kind }) => kind === 'co64');
    return long === undefined ? -1 : Number(file.getBigUint64(long.begin + 8));
  });
  if (!starts.includes(primary.offset)) {
    throw PictureRefusal.unsupported('an animated AVIF whose first frame is not its still picture');
  }
}
