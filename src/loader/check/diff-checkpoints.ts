/** What differs between two checkpoints, tensor by tensor. */
import { DTYPE_BITS } from '../../tensor/dtype.js';
import type { Checkpoint, StoredTensor } from '../checkpoint/checkpoint.js';
import { convertFloats, isFloatDtype } from '../convert/convert-floats.js';
import { readChunks } from '../file/read-chunks.js';
import { SourceFiles } from '../file/source-files.js';

export type TensorDifference =
  | { readonly kind: 'only-in-a' | 'only-in-b'; readonly name: string }
  | { readonly kind: 'dtype' | 'shape'; readonly name: string; readonly a: string; readonly b: string }
  /** `maxAbs` is null for dtypes that are compared byte by byte; NaN against a number is Infinity. */
  | { readonly kind: 'values'; readonly name: string; readonly maxAbs: number | null };

export interface DiffOptions {
  /**
   * Float values that differ by no more than this are equal, also across float dtypes. Absent, bytes are compared and a
   * different dtype is a difference.
   */
  readonly atol?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export async function diffCheckpoints(
  a: Checkpoint,
  b: Checkpoint,
  options: DiffOptions = {},
): Promise<TensorDifference[]> {
  const differences: TensorDifference[] = [];
  await using sources = new SourceFiles();
  let done = 0;
  for (const [name, ofA] of a.tensors) {
    options.signal?.throwIfAborted();
    const ofB = b.tensors.get(name);
    const difference =
      ofB === undefined
        ? ({ kind: 'only-in-a', name } as const)
        : await diffTensor(name, ofA, ofB, sources, options.atol);
    if (difference !== null) differences.push(difference);
    options.onProgress?.(++done, a.tensors.size);
  }
  for (const name of b.tensors.keys()) if (!a.tensors.has(name)) differences.push({ kind: 'only-in-b', name });
  return differences;
}

async function diffTensor(
  name: string,
  a: StoredTensor,
  b: StoredTensor,
  sources: SourceFiles,
  atol: number | undefined,
): Promise<TensorDifference | null> {
  if (a.shape.length !== b.shape.length || a.shape.some((dim, i) => dim !== b.shape[i])) {
    return { kind: 'shape', name, a: `[${a.shape.join(', ')}]`, b: `[${b.shape.join(', ')}]` };
  }
  const comparable = atol !== undefined && isFloatDtype(a.dtype) && isFloatDtype(b.dtype);
  if (a.dtype !== b.dtype && !comparable) return { kind: 'dtype', name, a: a.dtype, b: b.dtype };
  if (!comparable) {
    return (await sameBytes(a, b, sources)) ? null : { kind: 'values', name, maxAbs: null };
  }
  const maxAbs = await largestDifference(a, b, sources);
  return maxAbs > atol ? { kind: 'values', name, maxAbs } : null;
}

async function sameBytes(a: StoredTensor, b: StoredTensor, sources: SourceFiles): Promise<boolean> {
  const chunksOfB = readChunks(await sources.get(b.file), b.begin, b.end);
  for await (const chunk of readChunks(await sources.get(a.file), a.begin, a.end)) {
    const other = await chunksOfB.next();
    if (other.done === true || Buffer.compare(chunk, other.value) !== 0) return false;
  }
  return true;
}

/** Values compared at a time. */
const BLOCK_VALUES = 1024 * 1024;

async function largestDifference(a: StoredTensor, b: StoredTensor, sources: SourceFiles): Promise<number> {
  const [fileA, fileB] = [await sources.get(a.file), await sources.get(b.file)];
  const bytesA = DTYPE_BITS[a.dtype] / 8;
  const bytesB = DTYPE_BITS[b.dtype] / 8;
  const count = (a.end - a.begin) / bytesA;
  let largest = 0;
  for (let from = 0; from < count; from += BLOCK_VALUES) {
    const to = Math.min(count, from + BLOCK_VALUES);
    const [ofA, ofB] = await Promise.all([
      fileA.read(a.begin + from * bytesA, a.begin + to * bytesA),
      fileB.read(b.begin + from * bytesB, b.begin + to * bytesB),
    ]);
    const valuesA = toFloat32(ofA, a);
    const valuesB = toFloat32(ofB, b);
    for (let i = 0; i < valuesA.length; i++) largest = Math.max(largest, distance(valuesA[i] ?? 0, valuesB[i] ?? 0));
  }
  return largest;
}

function toFloat32(bytes: Uint8Array, { dtype }: StoredTensor): Float32Array {
  const values = new Float32Array((bytes.length * 8) / DTYPE_BITS[dtype]);
  convertFloats(bytes, dtype, new Uint8Array(values.buffer), 'F32');
  return values;
}

function distance(a: number, b: number): number {
  if (Object.is(a, b) || a === b) return 0;
  const difference = Math.abs(a - b);
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}
