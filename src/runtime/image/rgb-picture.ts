/** 8-bit RGB, row-major `[height, width, 3]`. */
export interface RgbPicture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}
