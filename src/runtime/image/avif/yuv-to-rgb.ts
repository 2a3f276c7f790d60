/**
 * Luma and chroma as red, green and blue, in the fixed-point arithmetic of libyuv, which libavif and so Pillow use: products
 * of 6 fractional bits, chroma interpolated between its samples' centres.
 */
import { greyLevels } from '../rgb-picture.js';
import type { Levels, Planes } from './avif-planes.js';

/** What chroma adds, times 64, and how luma is scaled (times 64 * 65536 / 257) and shifted. */
export interface Matrix {
  readonly uToBlue: number;
  readonly uToGreen: number;
  readonly vToGreen: number;
  readonly vToRed: number;
  readonly lumaScale: number;
  readonly lumaShift: number;
}

const matrix = (
  limited: boolean,
  [uToBlue, uToGreen, vToGreen, vToRed]: readonly [number, number, number, number],
) => ({
  uToBlue,
  uToGreen,
  vToGreen,
  vToRed,
  lumaScale: limited ? 18997 : 16320,
  lumaShift: limited ? -1160 : 32,
});

const BT601 = { full: matrix(false, [113, 22, 46, 90]), limited: matrix(true, [128, 25, 52, 102]) };
const BT709 = { full: matrix(false, [119, 12, 30, 101]), limited: matrix(true, [128, 14, 34, 115]) };
const BT2020 = {
  full: matrix(false, [120, 11, 37, 94]),
  limited: { ...matrix(true, [128, 12, 42, 107]), lumaScale: 19003 },
};

/** By matrix coefficients of ITU-T H.273; 2 is "not said". */
const MATRICES: Readonly<Record<number, typeof BT601>> = { 1: BT709, 2: BT601, 5: BT601, 6: BT601, 9: BT2020 };
/** Where the matrix follows from the primaries (12). */
const BY_PRIMARIES: Readonly<Record<number, typeof BT601>> = { 1: BT709, 2: BT709, 5: BT601, 6: BT601, 9: BT2020 };
const FOLLOWS_PRIMARIES = 12;

/** The matrix of these code points; undefined where libyuv has none. */
export function matrixOf(coefficients: number, primaries: number, fullRange: boolean): Matrix | undefined {
  const pair = coefficients === FOLLOWS_PRIMARIES ? BY_PRIMARIES[primaries] : MATRICES[coefficients];
  return fullRange ? pair?.full : pair?.limited;
}

/**
 * @param nearest repeats chroma instead of interpolating it
 * @returns 8-bit RGB
 */
export function yuvToRgb(planes: Planes, coefficients: Matrix, nearest: boolean): Uint8Array {
  const { y, bits, width, height } = planes;
  const { uToBlue, uToGreen, vToGreen, vToRed, lumaScale, lumaShift } = coefficients;
  const [uRow, vRow] = [chromaRows(planes.u, planes, nearest), chromaRows(planes.v, planes, nearest)];
  const rgb = new Uint8ClampedArray(width * height * 3);
  const drop = bits - 8;
  for (let row = 0, pixel = 0, to = 0; row < height; row++) {
    const [us, vs] = [uRow(row), vRow(row)];
    for (let column = 0; column < width; column++, pixel++) {
      const luma = Math.floor((widened(y[pixel] ?? 0, bits) * lumaScale) / 65536) + lumaShift;
      const u = ((us[column] ?? 0) >> drop) - 128;
      const v = ((vs[column] ?? 0) >> drop) - 128;
      rgb[to++] = (luma + v * vToRed) >> 6;
      rgb[to++] = (luma - (u * uToGreen + v * vToGreen)) >> 6;
      rgb[to++] = (luma + u * uToBlue) >> 6;
    }
  }
  return new Uint8Array(rgb.buffer);
}

/** Luma alone, each level three times, as libyuv has it. */
export function lumaToRgb({ y, bits }: Planes, { lumaScale, lumaShift }: Matrix): Uint8Array {
  const scaled = (level: number): number => Math.floor((widened(level, bits) * lumaScale) / 65536) + lumaShift;
  return greyLevels(Uint8ClampedArray.from(y, (level) => scaled(level) >> 6));
}

/** A level's bits repeated until there are 16. */
const widened = (level: number, bits: number): number => (level << (16 - bits)) | (level >> (2 * bits - 16));

/** Chroma at every pixel of a row; the array is the same for each. */
function chromaRows(chroma: Levels, planes: Planes, nearest: boolean): (row: number) => Levels {
  const { width, height, chromaWidth, chromaHeight } = planes;
  const rows = neighbours(chromaHeight, height);
  const columns = neighbours(chromaWidth, width);
  // The last column is its own neighbour, also where the sample before it is near.
  columns.far[width - 1] = columns.near[width - 1] ?? 0;
  const levels = new Uint16Array(width);
  return (row) => {
    const [near, far] = [(rows.near[row] ?? 0) * chromaWidth, (rows.far[row] ?? 0) * chromaWidth];
    if (chromaWidth === width && chromaHeight === height) return chroma.subarray(near, near + width);
    for (let column = 0; column < width; column++) {
      const [left, right] = [columns.near[column] ?? 0, columns.far[column] ?? 0];
      const a = chroma[near + left] ?? 0;
      const others = 3 * (chroma[near + right] ?? 0) + 3 * (chroma[far + left] ?? 0) + (chroma[far + right] ?? 0);
      levels[column] = nearest ? a : (9 * a + others + 8) >> 4;
    }
    return levels;
  };
}

/** Of each pixel along an axis, the sample it lies in, and the next nearest: itself at the ends and where none is left out. */
function neighbours(samples: number, pixels: number): { near: Uint32Array; far: Uint32Array } {
  const near = new Uint32Array(pixels);
  const far = new Uint32Array(pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const sample = samples === pixels ? pixel : pixel >> 1;
    const other = samples === pixels ? pixel : sample + (pixel & 1 ? 1 : -1);
    near[pixel] = sample;
    far[pixel] = Math.min(Math.max(other, 0), samples - 1);
  }
  return { near, far };
}
