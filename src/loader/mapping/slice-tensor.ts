/** Parts of tensors, by numpy's basic indexing. Only the bytes of the part are touched. */
import { at } from '../../checked-access.js';
import { Blip2Error } from '../../errors.js';
import { DTYPE_BITS } from '../../tensor/dtype.js';
import { elementCount } from '../../tensor/tensor-info.js';
import type { TensorView } from './tensor-view.js';
import { quote } from '../format/quote.js';

/**
 * One dimension: an index (which drops the dimension) or a range. Absent bounds reach to the end, negative ones count
 * from it, bounds beyond it are clamped; a negative step runs backwards. '...' stands for all dimensions not named.
 */
export type SliceItem =
  | number
  | '...'
  | { readonly start?: number | undefined; readonly stop?: number | undefined; readonly step?: number | undefined };

/** What to take of one dimension. */
interface Axis {
  readonly start: number;
  readonly step: number;
  readonly count: number;
  readonly kept: boolean;
}

/**
 * `view[items]` as numpy has it, as a copy.
 * @throws Blip2Error `SLICE_INVALID`: an index out of bounds or between two, too many items, a step of 0, or
 *   elements smaller than a byte.
 */
export function sliceTensor(view: TensorView, items: readonly SliceItem[]): TensorView {
  const elementBits = DTYPE_BITS[view.dtype];
  if (elementBits < 8) throw invalid(view, `has elements of ${elementBits} bits, which cannot be cut`);
  const axes = toAxes(view, items);
  const elementBytes = elementBits / 8;
  const strides = view.shape.map((_, dim) => elementCount(view.shape.slice(dim + 1)));
  const bytes = new Uint8Array(axes.reduce((product, { count }) => product * count, elementBytes));
  // The innermost dimensions that are taken whole are one run of bytes; so is the range of step 1 just before them.
  let outer = axes.length;
  let runElements = 1;
  while (outer > 0 && runElements === at(strides, outer - 1) && at(axes, outer - 1).step === 1) {
    outer--;
    runElements *= at(axes, outer).count;
  }
  let written = 0;
  const base = axes.slice(outer).reduce((sum, { start }, i) => sum + start * at(strides, outer + i), 0);
  const copy = (dim: number, element: number): void => {
    if (dim === outer) {
      const begin = (base + element) * elementBytes;
      bytes.set(view.bytes.subarray(begin, begin + runElements * elementBytes), written);
      written += runElements * elementBytes;
      return;
    }
    const { start, step, count } = at(axes, dim);
    for (let i = 0; i < count; i++) copy(dim + 1, element + (start + i * step) * at(strides, dim));
  };
  if (bytes.length > 0) copy(0, 0);
  return {
    name: view.name,
    dtype: view.dtype,
    shape: axes.filter(({ kept }) => kept).map(({ count }) => count),
    bytes,
  };
}

/**
 * `0:10:2, -1, ...` as it stands between numpy's brackets.
 * @throws Blip2Error `SLICE_INVALID`
 */
export function parseSlice(text: string): SliceItem[] {
  return text.trim() === '' ? [] : text.split(',').map((part) => parseItem(part.trim()));
}

function parseItem(item: string): SliceItem {
  if (item === '...') return '...';
  if (/^[+-]?\d+$/.test(item)) return Number(item);
  const match = /^([+-]?\d+)?\s*:\s*([+-]?\d+)?\s*(?::\s*([+-]?\d+)?)?$/.exec(item);
  if (match === null) throw new Blip2Error('SLICE_INVALID', `"${item}" is not an index, a range or "..."`);
  const [start, stop, step] = match
    .slice(1)
    .map((text: string | undefined) => (text === undefined ? text : Number(text)));
  return { start, stop, step };
}

function toAxes(view: TensorView, items: readonly SliceItem[]): Axis[] {
  const named = items.filter((item) => item !== '...').length;
  const ellipses = items.length - named;
  const missing = view.shape.length - named;
  if (ellipses > 1) throw invalid(view, 'takes one "..." at most');
  if (missing < 0) throw invalid(view, `has ${view.shape.length} dimensions, not ${named}`);
  const all = Array.from({ length: missing }, (): SliceItem => ({}));
  const complete = ellipses === 1 ? items.flatMap((item) => (item === '...' ? all : [item])) : [...items, ...all];
  return complete.map((item, dim) => toAxis(view, item, dim));
}

function toAxis(view: TensorView, item: SliceItem, dim: number): Axis {
  const size = at(view.shape, dim);
  if (item === '...') throw new RangeError('"..." stands for dimensions and is none');
  if (typeof item === 'number') {
    if (!Number.isInteger(item)) throw invalid(view, `has entries at whole numbers; there is no ${item}`);
    const start = item < 0 ? item + size : item;
    if (start < 0 || start >= size) throw invalid(view, `has ${size} entries in dimension ${dim}; there is no ${item}`);
    return { start, step: 1, count: 1, kept: false };
  }
  const { step = 1 } = item;
  if (step === 0 || !Number.isInteger(step)) throw invalid(view, `cannot be walked in steps of ${step}`);
  for (const bound of [item.start, item.stop])
    if (bound !== undefined && !Number.isInteger(bound) && Math.abs(bound) !== Number.POSITIVE_INFINITY)
      throw invalid(view, `is cut at whole numbers, not at ${bound}`);
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const bound = (value: number | undefined, absent: number): number =>
    value === undefined ? absent : Math.min(high, Math.max(low, value < 0 ? value + size : value));
  const start = bound(item.start, step > 0 ? low : high);
  const stop = bound(item.stop, step > 0 ? high : low);
  return { start, step, count: Math.max(0, Math.ceil((stop - start) / step)), kept: true };
}

function invalid(view: TensorView, why: string): Blip2Error {
  return new Blip2Error('SLICE_INVALID', `${quote(view.name)} [${view.shape.join(', ')}] ${why}`);
}
