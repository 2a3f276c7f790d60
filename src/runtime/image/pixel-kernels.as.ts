/**
 * Pillow's bicubic resize (`Resample.c`) and transformers' normalisation, in AssemblyScript: vectors of 128 bits, in a memory
 * that the caller lays out. Addresses are in bytes. `scripts/build-kernels.mjs` makes `pixel-kernels.wasm.ts` of this file.
 *
 * A weight has 22 fraction bits, more than the products of 16-bit integers carry. So it is `high * 2^12 + low`, both of 16
 * bits, and the sums of the two kinds of products meet at the end, where all is exact modulo 2^32.
 *
 * Taps of an output position: the first input position, the number of pairs of taps, and the pairs, each as its two high
 * halves and its two low halves. A tap that is there only to make a pair weighs nothing.
 */

const FRACTION_BITS = 22;
const LOW_BITS = 12;
const HEAD_BYTES: usize = 8;
const PAIR_BYTES: usize = 8;

/** Taps that an output position has at most, an even number of pairs: `resizeLines` reads two at once. */
export function mostTaps(size: i32, outSize: i32): usize {
  return ((<usize>Math.ceil(support(size, outSize)) * 2 + 1 + 3) / 4) * 4;
}

/** Bytes that the taps of one output position take. */
export function tapsBytes(size: i32, outSize: i32): usize {
  return HEAD_BYTES + (mostTaps(size, outSize) / 2) * PAIR_BYTES;
}

/** Writes the taps of all output positions, and up to `mostTaps` doubles to `scratch`. */
export function writeTaps(size: i32, outSize: i32, taps: usize, stride: usize, scratch: usize): void {
  const scale = <f64>size / <f64>outSize;
  // Multiplied by the reciprocal, because Pillow does: a division can differ in the last bit.
  const inverse = 1 / Math.max(scale, 1);
  const reach = support(size, outSize);
  for (let position = 0; position < outSize; position++, taps += stride) {
    const centre = (<f64>position + 0.5) * scale;
    const first = max(<i32>(centre - reach + 0.5), 0);
    const count = min(<i32>(centre + reach + 0.5), size) - first;
    let sum: f64 = 0;
    for (let tap = 0; tap < count; tap++) {
      const weight = cubic((<f64>(tap + first) - centre + 0.5) * inverse);
      store<f64>(scratch + <usize>tap * 8, weight);
      sum += weight;
    }
    store<i32>(taps, first);
    store<i32>(taps, (count + 1) >> 1, 4);
    memory.fill(taps + HEAD_BYTES, 0, stride - HEAD_BYTES);
    for (let tap = 0; tap < count; tap++) {
      const fixed = (load<f64>(scratch + <usize>tap * 8) / sum) * <f64>(1 << FRACTION_BITS);
      const weight = <i32>(fixed + (fixed < 0 ? -0.5 : 0.5));
      const at = taps + HEAD_BYTES + <usize>(tap >> 1) * PAIR_BYTES + <usize>(tap & 1) * 2;
      store<i16>(at, <i16>(weight >> LOW_BITS));
      store<i16>(at, <i16>(weight & ((1 << LOW_BITS) - 1)), 4);
    }
  }
}

/** First input position of an output position. */
export function firstTap(taps: usize, stride: usize, position: i32): i32 {
  return load<i32>(taps + <usize>position * stride);
}

/** Input position after the last that an output position reads; that of a tap without weight may be after the input. */
export function endTap(taps: usize, stride: usize, position: i32): i32 {
  const at = taps + <usize>position * stride;
  return load<i32>(at) + 2 * load<i32>(at, 4);
}

function support(size: i32, outSize: i32): f64 {
  return 2 * Math.max(<f64>size / <f64>outSize, 1);
}

/** Keys' cubic convolution kernel with a = -0.5. */
function cubic(t: f64): f64 {
  const x = Math.abs(t);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}

/**
 * Lines of `size` RGB pixels to lines of `outSize`. Up to 15 bytes after a source line's end are read, and up to 13 after
 * the target's end written.
 */
export function resizeLines(
  source: usize,
  size: i32,
  lines: i32,
  taps: usize,
  stride: usize,
  outSize: i32,
  target: usize,
): void {
  for (let line = 0; line < lines; line++, source += <usize>size * 3) {
    let tap = taps;
    for (let position = 0; position < outSize; position++, tap += stride, target += 3) {
      let at = source + <usize>load<i32>(tap) * 3;
      let pair = tap + HEAD_BYTES;
      const end = pair + <usize>load<i32>(tap, 4) * PAIR_BYTES;
      let high = i32x4.splat(0);
      let low = i32x4.splat(0);
      for (; pair < end; pair += 2 * PAIR_BYTES, at += 12) {
        const pixels = v128.load(at);
        const first = firstTwo(pixels);
        const second = nextTwo(pixels);
        high = i32x4.add(high, i32x4.dot_i16x8_s(first, v128.load32_splat(pair)));
        low = i32x4.add(low, i32x4.dot_i16x8_s(first, v128.load32_splat(pair, 4)));
        high = i32x4.add(high, i32x4.dot_i16x8_s(second, v128.load32_splat(pair, 8)));
        low = i32x4.add(low, i32x4.dot_i16x8_s(second, v128.load32_splat(pair, 12)));
      }
      const levels = rounded(high, low);
      v128.store32_lane(target, i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(levels, levels), levels), 0);
    }
  }
}

/** Red, green and blue of two pixels side by side, widened to 16 bits: 16 and above stand for a zero. */
function firstTwo(pixels: v128): v128 {
  return i8x16.swizzle(pixels, i8x16(0, 16, 3, 16, 1, 16, 4, 16, 2, 16, 5, 16, 16, 16, 16, 16));
}

function nextTwo(pixels: v128): v128 {
  return i8x16.swizzle(pixels, i8x16(6, 16, 9, 16, 7, 16, 10, 16, 8, 16, 11, 16, 16, 16, 16, 16));
}

/**
 * Columns of `size` bytes to columns of `outSize`, from output line `begin` to `end`. `source` is input line `top`, every line
 * has `bytes` bytes. Up to 15 bytes after the last line are read and written.
 */
export function resizeColumns(
  source: usize,
  top: i32,
  bytes: i32,
  taps: usize,
  stride: usize,
  begin: i32,
  end: i32,
  target: usize,
): void {
  const line = <usize>bytes;
  for (let position = begin; position < end; position++, target += line) {
    const tap = taps + <usize>position * stride;
    const first = source + <usize>(load<i32>(tap) - top) * line;
    const pairs = tap + HEAD_BYTES;
    const pairsEnd = pairs + <usize>load<i32>(tap, 4) * PAIR_BYTES;
    for (let column: usize = 0; column < line; column += 16) {
      let high0 = i32x4.splat(0);
      let high1 = i32x4.splat(0);
      let high2 = i32x4.splat(0);
      let high3 = i32x4.splat(0);
      let low0 = i32x4.splat(0);
      let low1 = i32x4.splat(0);
      let low2 = i32x4.splat(0);
      let low3 = i32x4.splat(0);
      let at = first + column;
      for (let pair = pairs; pair < pairsEnd; pair += PAIR_BYTES, at += 2 * line) {
        const upper = v128.load(at);
        const lower = v128.load(at + line);
        const left = i8x16.shuffle(upper, lower, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        const right = i8x16.shuffle(upper, lower, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        const highs = v128.load32_splat(pair);
        const lows = v128.load32_splat(pair, 4);
        const two0 = i16x8.extend_low_i8x16_u(left);
        const two1 = i16x8.extend_high_i8x16_u(left);
        const two2 = i16x8.extend_low_i8x16_u(right);
        const two3 = i16x8.extend_high_i8x16_u(right);
        high0 = i32x4.add(high0, i32x4.dot_i16x8_s(two0, highs));
        high1 = i32x4.add(high1, i32x4.dot_i16x8_s(two1, highs));
        high2 = i32x4.add(high2, i32x4.dot_i16x8_s(two2, highs));
        high3 = i32x4.add(high3, i32x4.dot_i16x8_s(two3, highs));
        low0 = i32x4.add(low0, i32x4.dot_i16x8_s(two0, lows));
        low1 = i32x4.add(low1, i32x4.dot_i16x8_s(two1, lows));
        low2 = i32x4.add(low2, i32x4.dot_i16x8_s(two2, lows));
        low3 = i32x4.add(low3, i32x4.dot_i16x8_s(two3, lows));
      }
      const levels = i8x16.narrow_i16x8_u(
        i16x8.narrow_i32x4_s(rounded(high0, low0), rounded(high1, low1)),
        i16x8.narrow_i32x4_s(rounded(high2, low2), rounded(high3, low3)),
      );
      v128.store(target + column, levels);
    }
  }
}

/** Levels, not yet clipped to 8 bits. */
function rounded(high: v128, low: v128): v128 {
  const sum = i32x4.add(i32x4.add(i32x4.shl(high, LOW_BITS), low), i32x4.splat(1 << (FRACTION_BITS - 1)));
  return i32x4.shr_s(sum, FRACTION_BITS);
}

/**
 * The value of each level of a channel, by table: `[pixels, 3]` bytes to `[3, pixels]` float32.
 * @param tables float32 `[3, 256]`
 */
export function pixelValues(source: usize, pixels: i32, tables: usize, target: usize): void {
  const plane = <usize>pixels * 4;
  const end = source + <usize>pixels * 3;
  for (; source < end; source += 3, target += 4) {
    store<f32>(target, load<f32>(tables + ((<usize>load<u8>(source)) << 2)));
    store<f32>(target + plane, load<f32>(tables + ((<usize>load<u8>(source, 1)) << 2), 1024));
    store<f32>(target + 2 * plane, load<f32>(tables + ((<usize>load<u8>(source, 2)) << 2), 2048));
  }
}

/** The same in float16, of which only the bits are moved: to `[3, pixels]`, by a table of `[3, 256]`. */
export function pixelHalves(source: usize, pixels: i32, tables: usize, target: usize): void {
  const plane = <usize>pixels * 2;
  const end = source + <usize>pixels * 3;
  for (; source < end; source += 3, target += 2) {
    store<u16>(target, load<u16>(tables + ((<usize>load<u8>(source)) << 1)));
    store<u16>(target + plane, load<u16>(tables + ((<usize>load<u8>(source, 1)) << 1), 512));
    store<u16>(target + 2 * plane, load<u16>(tables + ((<usize>load<u8>(source, 2)) << 1), 1024));
  }
}
