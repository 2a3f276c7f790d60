import type { ColourCode } from './avif-picture.js';

const SEQUENCE_HEADER = 1;
const NO_COLOUR_DESCRIPTION = 2;

/**
 * The colour information of AV1 data, from its sequence header (AV1 specification, 5.5).
 * @throws RangeError for data that ends too early, Error where it has no sequence header
 */
export function sequenceColour(data: Uint8Array): ColourCode {
  for (let at = 0; at < data.length;) {
    const head = data[at] ?? 0;
    const extended = (head & 4) !== 0;
    at += extended ? 2 : 1;
    const [bytes, sizeBytes] = head & 2 ? leb128(data, at) : [data.length - at, 0];
    at += sizeBytes;
    if (((head >> 3) & 15) === SEQUENCE_HEADER) return colourConfig(new Bits(data.subarray(at, at + bytes)));
    at += bytes;
  }
  throw new Error('its AV1 data has no sequence header');
}

function leb128(data: Uint8Array, at: number): [value: number, bytes: number] {
  let value = 0;
  for (let i = 0; i < 8; i++) {
    const byte = data[at + i];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return [value, i + 1];
  }
  throw new RangeError('its AV1 data ends too early');
}

class Bits {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#at++) {
      const byte = this.#data[this.#at >> 3];
      if (byte === undefined) throw new RangeError('its AV1 data ends too early');
      value = value * 2 + ((byte >> (7 - (this.#at & 7))) & 1);
    }
    return value;
  }

  flag(): boolean {
    return this.read(1) === 1;
  }

  /** A number whose length is told by the zeros before it. */
  variable(): number {
    let zeros = 0;
    while (!this.flag()) zeros++;
    return zeros >= 32 ? 2 ** 32 - 1 : this.read(zeros) + 2 ** zeros - 1;
  }
}

function colourConfig(bits: Bits): ColourCode {
  const profile = bits.read(3);
  bits.flag();
  const reduced = bits.flag();
  if (reduced) bits.read(5);
  else skipOperatingPoints(bits);
  const [widthBits, heightBits] = [bits.read(4) + 1, bits.read(4) + 1];
  bits.read(widthBits);
  bits.read(heightBits);
  if (!reduced && bits.flag()) bits.read(7);
  bits.read(3);
  if (!reduced) skipTools(bits);
  bits.read(3);
  const deep = bits.flag();
  if (profile === 2 && deep) bits.flag();
  const monochrome = profile !== 1 && bits.flag();
  const described = bits.flag();
  const code = () => (described ? bits.read(8) : NO_COLOUR_DESCRIPTION);
  const [primaries, transfer, matrix] = [code(), code(), code()];
  // sRGB without a matrix always uses the full range, and does not say so.
  const plainRgb = !monochrome && primaries === 1 && transfer === 13 && matrix === 0;
  return { primaries, matrix, fullRange: plainRgb || bits.flag() };
}

function skipOperatingPoints(bits: Bits): void {
  let delayBits = 0;
  if (bits.flag()) {
    bits.read(32);
    bits.read(32);
    if (bits.flag()) bits.variable();
    if (bits.flag()) {
      delayBits = bits.read(5) + 1;
      bits.read(32);
      bits.read(10);
    }
  }
  const delayShown = bits.flag();
  for (let points = bits.read(5) + 1; points > 0; points--) {
    bits.read(12);
    if (bits.read(5) > 7) bits.flag();
    if (delayBits > 0 && bits.flag()) bits.read(2 * delayBits + 1);
    if (delayShown && bits.flag()) bits.read(4);
  }
}

function skipTools(bits: Bits): void {
  bits.read(4);
  const ordered = bits.flag();
  if (ordered) bits.read(2);
  const chosenScreenTools = bits.flag() || bits.flag();
  if (chosenScreenTools && !bits.flag()) bits.flag();
  if (ordered) bits.read(3);
}
