/**
 * PBM, PGM and PPM, as numbers or as bytes, as Pillow reads them: samples are scaled to 255 from what the file says is the most,
 * except grey levels of 16 bits, which are scaled to 65,535 and then cut at 255.
 */
import { checkPixels } from '../picture-refusal.js';
import { greyLevels, type RgbPicture } from '../rgb-picture.js';
import { PnmText } from './pnm-text.js';

/** @throws PictureRefusal, RangeError for a file that ends too early, Error for numbers that are none or too large */
export function decodePnm(bytes: Uint8Array, maxPixels: number): RgbPicture {
  const kind = (bytes[1] ?? 0) - DIGIT_0;
  const text = new PnmText(bytes, 3);
  const [width, height] = [text.number(), text.number()];
  if (width === 0 || height === 0) throw new Error(`it has ${width} x ${height} pixels`);
  checkPixels(width, height, maxPixels);
  const isBilevel = kind === 1 || kind === 4;
  const most = isBilevel ? 1 : text.number();
  if (most === 0 || most > 65535) throw new Error(`its levels go up to ${most}`);
  const channels = kind === 3 || kind === 6 ? 3 : 1;
  const count = width * height * channels;
  const isPlain = kind <= 3;
  const rowBytes = isBilevel ? Math.ceil(width / 8) : width * channels * (most > 255 ? 2 : 1);
  // A number takes a byte at least.
  if ((isPlain ? count : rowBytes * height) > bytes.length - text.at) throw new RangeError(TOO_EARLY);

  const begin = text.at;
  const levels = new Uint8Array(count);
  const levelAt = levelReader(bytes, text, { isBilevel, isPlain, width, rowBytes, most });
  const scaled = scaleTo(channels === 1 && most > 255 ? 65535 : 255, most);
  for (let i = 0; i < count; i++) levels[i] = scaled(levelAt(i));
  if (kind === 1) checkBits(text);
  else if (isPlain) text.checkLastWord(begin);
  return { data: channels === 3 ? levels : greyLevels(levels), width, height };
}

interface Samples {
  readonly isBilevel: boolean;
  readonly isPlain: boolean;
  readonly width: number;
  readonly rowBytes: number;
  readonly most: number;
}

/** What gives each sample in turn, by its place. */
function levelReader(
  bytes: Uint8Array,
  text: PnmText,
  { isBilevel, isPlain, width, rowBytes, most }: Samples,
): (index: number) => number {
  if (isBilevel && isPlain) return () => 1 - bitOf(text.letter());
  if (isPlain) {
    return () => {
      const level = text.number();
      if (level > most) throw new Error(`it has a level of ${level}, and says that ${most} is the most`);
      return level;
    };
  }
  const file = new DataView(bytes.buffer, bytes.byteOffset + text.at, bytes.byteLength - text.at);
  if (isBilevel) {
    return (index) => {
      const column = index % width;
      const byte = file.getUint8(Math.floor(index / width) * rowBytes + (column >> 3));
      return 1 - ((byte >> (7 - (column & 7))) & 1);
    };
  }
  return most > 255 ? (index) => file.getUint16(2 * index) : (index) => file.getUint8(index);
}

const [DIGIT_0, DIGIT_1] = [0x30, 0x31];

/** 1 is black. */
function bitOf(letter: number | undefined): number {
  if (letter === undefined) throw new RangeError(TOO_EARLY);
  if (letter !== DIGIT_0 && letter !== DIGIT_1)
    throw new Error(`it has ${JSON.stringify(String.fromCharCode(letter))} among its bits`);
  return letter - DIGIT_0;
}

/** What follows the pixels has to be bits as well. */
function checkBits(text: PnmText): void {
  for (let letter = text.letter(); letter !== undefined; letter = text.letter()) bitOf(letter);
}

/** A level in the range that Pillow keeps it in, rounded half to even as Python rounds, and then cut at 255. */
function scaleTo(range: number, most: number): (level: number) => number {
  if (range === most) return (level) => Math.min(255, level);
  return (level) => {
    const scaled = (level / most) * range;
    const below = Math.floor(scaled);
    const isUp = scaled - below > 0.5 || (scaled - below === 0.5 && below % 2 === 1);
    return Math.min(255, isUp ? below + 1 : below);
  };
}

const TOO_EARLY = 'its pixels end too early';
