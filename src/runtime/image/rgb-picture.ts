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
