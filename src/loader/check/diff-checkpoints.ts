/**
 * What differs between two checkpoints, weight by weight: one in small integers is compared by what it stands for.
 */
import { at } from '../../checked-access.js';
import { DTYPE_BITS } from '../../tensor/dtype.js';
import { elementCount } from '../../tensor/tensor-info.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { StoredTensor } from '../format/stored-tensor.js';
import { floatValues, hasFloatValues } from './float-values.js';
import { readChunks } from '../file/read-chunks.js';
import { SourceFiles } from '../file/source-files.js';
import { dequantizeRows } from '../quant/dequantize-rows.js';
import { storedWeights, weightDtype, weightShape, type StoredWeight } from '../quant/stored-weights.js';

/** How two tensors of a name differ; dtypes and shapes as text. */
export type TensorDifference =
  | { readonly kind: 'only-in-a' | 'only-in-b'; readonly name: string }
  | { readonly kind: 'dtype' | 'shape'; readonly name: string; readonly a: string; readonly b: string }
  /** `maxAbs` is null for dtypes that are compared byte by byte; NaN against a number is Infinity. */
  | { readonly kind: 'values'; readonly name: string; readonly maxAbs: number | null };

/** What counts as equal; `onProgress` counts tensors. */
export interface DiffOptions {
  /**
   * Float values that differ by no more than this are equal, also across float dtypes and with weights in small integers.
   * Absent, bytes are compared and a different dtype is a difference.
   */
  readonly atol?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * What differs between two checkpoints, tensor by tensor, in any shards; nothing where all is equal.
 * @throws SafetensorsError `IO_ERROR`, `FILE_CHANGED`; the signal's reason when aborted
 */
export async function diffCheckpoints(
  a: Checkpoint,
  b: Checkpoint,
  options: DiffOptions = {},
): Promise<TensorDifference[]> {
  const differences: TensorDifference[] = [];
  await using sources = new SourceFiles();
  let done = 0;
  const weightsOfA = storedWeights(a.tensors);
  const weightsOfB = storedWeights(b.tensors);
  for (const [name, ofA] of weightsOfA) {
    options.signal?.throwIfAborted();
    const ofB = weightsOfB.get(name);
    const difference =
      ofB === undefined
        ? ({ kind: 'only-in-a', name } as const)
        : await diffTensor(name, ofA, ofB, sources, options.atol);
    if (difference !== null) differences.push(difference);
    options.onProgress?.(++done, weightsOfA.size);
  }
  for (const name of weightsOfB.keys()) if (!weightsOfA.has(name)) differences.push({ kind: 'only-in-b', name });
  return differences;
}

type Weight = StoredWeight<StoredTensor>;

async function diffTensor(
  name: string,
  a: Weight,
  b: Weight,
  sources: SourceFiles,
  atol: number | undefined,
): Promise<TensorDifference | null> {
  if (!sameShape(a, b)) return { kind: 'shape', name, a: describeShape(a), b: describeShape(b) };
  const [dtypeOfA, dtypeOfB] = [weightDtype(a), weightDtype(b)];
  if (atol !== undefined && isReal(a) && isReal(b)) {
    const maxAbs = await largestDifference(a, b, sources);
    return maxAbs > atol ? { kind: 'values', name, maxAbs } : null;
  }
  if (dtypeOfA !== dtypeOfB) return { kind: 'dtype', name, a: dtypeOfA, b: dtypeOfB };
  for (const [ofA, ofB] of pairs(a, b)) {
    if (!(await sameBytes(ofA, ofB, sources))) return { kind: 'values', name, maxAbs: null };
  }
  return null;
}

/** Whether its values are numbers that a difference can be taken of. */
function isReal(weight: Weight): boolean {
  return weight.kind === 'quantized' || hasFloatValues(weight.tensor.dtype);
}

function pairs(a: Weight, b: Weight): [StoredTensor, StoredTensor][] {
  if (a.kind === 'plain') return b.kind === 'plain' ? [[a.tensor, b.tensor]] : [];
  if (b.kind === 'plain') return [];
  return [
    [a.values, b.values],
    [a.scales, b.scales],
  ];
}

/** A weight in blocks may have any number of columns that fills as many blocks. */
function sameShape(a: Weight, b: Weight): boolean {
  const [shapeOfA, shapeOfB] = [weightShape(a), weightShape(b)];
  if (shapeOfA.length !== shapeOfB.length) return false;
  const below = (weight: Weight, dim: number) => (weight.kind === 'quantized' && dim === 1 ? weight.blockSize : 1);
  return shapeOfA.every((sizeOfA, dim) => {
    const sizeOfB = at(shapeOfB, dim);
    return Math.max(sizeOfA - below(a, dim), sizeOfB - below(b, dim)) < Math.min(sizeOfA, sizeOfB);
  });
}

const describeShape = (weight: Weight): string => `[${weightShape(weight).join(', ')}]`;

async function sameBytes(a: StoredTensor, b: StoredTensor, sources: SourceFiles): Promise<boolean> {
  const chunksOfB = readChunks(await sources.get(b.file), b.begin, b.end);
  for await (const chunk of readChunks(await sources.get(a.file), a.begin, a.end)) {
    const other = await chunksOfB.next();
    if (other.done === true || Buffer.compare(chunk, other.value) !== 0) return false;
  }
  return true;
}

/** Values compared at a time, if rows are not longer. */
const BLOCK_VALUES = 1024 * 1024;

async function largestDifference(a: Weight, b: Weight, sources: SourceFiles): Promise<number> {
  // Where one is filled up to a whole block, the other has fewer columns.
  const [shapeOfA, shapeOfB] = [weightShape(a), weightShape(b)];
  const shape = elementCount(shapeOfA) <= elementCount(shapeOfB) ? shapeOfA : shapeOfB;
  const count = elementCount(shape);
  const columns = a.kind === 'plain' && b.kind === 'plain' ? 1 : at(shape, 1);
  const step = Math.max(1, Math.floor(BLOCK_VALUES / columns)) * columns;
  let largest = 0;
  for (let from = 0; from < count; from += step) {
    const to = Math.min(count, from + step);
    const [valuesA, valuesB] = await Promise.all([
      readValues(a, { from, to, columns }, sources),
      readValues(b, { from, to, columns }, sources),
    ]);
    valuesA.forEach((value, i) => {
      const other = valuesB[i];
      largest = other === undefined ? Number.POSITIVE_INFINITY : Math.max(largest, distance(value, other));
    });
  }
  return largest;
}

/** Values `[from, to)` of rows of so many columns; whole rows where the weight is in small integers. */
interface ValueRange {
  readonly from: number;
  readonly to: number;
  readonly columns: number;
}

async function readValues(
  weight: Weight,
  { from, to, columns }: ValueRange,
  sources: SourceFiles,
): Promise<Float32Array | Float64Array> {
  if (weight.kind === 'plain') {
    const { file, begin, dtype } = weight.tensor;
    const bytes = DTYPE_BITS[dtype] / 8;
    return floatValues(await (await sources.get(file)).read(begin + from * bytes, begin + to * bytes), dtype);
  }
  const { scheme, blockSize } = weight;
  const rows = async ({ file, begin, end, shape }: StoredTensor): Promise<Uint8Array> => {
    const rowBytes = (end - begin) / at(shape, 0);
    return (await sources.get(file)).read(begin + (from / columns) * rowBytes, begin + (to / columns) * rowBytes);
  };
  const [values, scales] = await Promise.all([rows(weight.values), rows(weight.scales)]);
  return dequantizeRows({ scheme, blockSize, values, scales }, columns);
}

function distance(a: number, b: number): number {
  if (Object.is(a, b) || a === b) return 0;
  const difference = Math.abs(a - b);
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}
