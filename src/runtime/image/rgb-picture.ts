/** 8-bit RGB, row-major `[height, width, 3]`. */
export interface RgbPicture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Grey levels, each as red, green and blue. */
export function greyLevels(levels: ArrayLike<number>): Uint8Array {
  const rgb = new Uint8Array(levels.length * 3);
  for (let pixel = 0; pixel < levels.length; pixel++) rgb.fill(levels[pixel] ?? 0, pixel * 3, pixel * 3 + 3);
  return rgb;
}

/** Drops what comes after the third channel; one channel is grey. */
export function firstThree(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let from = 0, to = 0; from < data.length; from += channels, to += 3) {
    for (let c = 0; c < 3; c++) rgb[to + c] = data[from + (channels < 3 ? 0 : c)] ?? 0;
  }
  return rgb;
}
