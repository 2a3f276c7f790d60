/**
 * A new file cut into stretches that can be made one by one, in any order, each within a buffer. Pure.
 *
 * A stretch is consecutive bytes of the new file that are copied or converted; or some blocks of a weight that is
 * quantised, whose integers and scales go to two places at once, so that the weight is read once.
 */
import type { StoredTensor } from '../format/stored-tensor.js';
import { at } from '../../checked-access.js';
import { DTYPE_BITS } from '../../tensor/dtype.js';
import { elementCount } from '../../tensor/tensor-info.js';
import { QUANT_BLOCK_SIZE, type QuantScheme } from '../../tensor/quantized.js';
import type { FileLayout, PlacedTensor } from './file-layout.js';
import type { ShardTensor } from './shard-tensor.js';

export type Stretch = { readonly kind: 'bytes'; readonly parts: readonly Part[] } | BlockStretch;

/** Blocks `[first, end)` of a weight, counted through all its rows. */
export interface BlockStretch {
  readonly kind: 'blocks';
  readonly weight: QuantizedWeight;
  readonly first: number;
  readonly end: number;
}

/** A stretch of one tensor, in bytes of the new file. */
export interface Part {
  readonly tensor: PlacedTensor;
  readonly wanted: ShardTensor;
  readonly begin: number;
  readonly end: number;
}

/** A weight and where it goes in small integers: any number of places each. */
export interface QuantizedWeight {
  readonly source: StoredTensor;
  readonly scheme: QuantScheme;
  readonly values: readonly PlacedTensor[];
  readonly scales: readonly PlacedTensor[];
}

/** @param stretchBytes bytes of the new file in a stretch at most, and bytes of source for blocks */
export function* stretches(
  layout: FileLayout,
  tensors: ReadonlyMap<string, ShardTensor>,
  stretchBytes: number,
): Generator<Stretch, void> {
  let parts: Part[] = [];
  let filled = 0;
  for (const tensor of layout.tensors) {
    const wanted = tensors.get(tensor.name);
    if (wanted === undefined) throw new RangeError(tensor.name);
    if (wanted.quantized !== undefined) {
      if (parts.length > 0) yield { kind: 'bytes', parts };
      parts = [];
      filled = 0;
      continue;
    }
    for (let begin = tensor.begin; begin < tensor.end;) {
      const room = stretchBytes - filled;
      // Cut between values, the longest of which has 8 bytes.
      const length = Math.min(tensor.end - begin, room - (room % 8));
      if (length > 0) parts.push({ tensor, wanted, begin, end: begin + length });
      begin += length;
      filled += length;
      if (begin === tensor.end && filled < stretchBytes) continue;
      yield { kind: 'bytes', parts };
      parts = [];
      filled = 0;
    }
  }
  if (parts.length > 0) yield { kind: 'bytes', parts };
  for (const weight of quantizedWeights(layout, tensors)) yield* blockRanges(weight, stretchBytes);
}

/** Every weight once, however many tensors are made of it. */
function quantizedWeights(layout: FileLayout, tensors: ReadonlyMap<string, ShardTensor>): Iterable<QuantizedWeight> {
  const weights = new Map<string, QuantizedWeight & { values: PlacedTensor[]; scales: PlacedTensor[] }>();
  for (const tensor of layout.tensors) {
    const { source, quantized } = tensors.get(tensor.name) ?? {};
    if (source === undefined || quantized === undefined) continue;
    const { scheme, half } = quantized;
    const key = JSON.stringify([source.file, source.begin, source.end, scheme]);
    const weight = weights.get(key) ?? { source, scheme, values: [], scales: [] };
    weights.set(key, weight);
    weight[half].push(tensor);
  }
  return weights.values();
}

function* blockRanges(weight: QuantizedWeight, stretchBytes: number): Generator<Stretch, void> {
  const { source, scheme } = weight;
  const blockSourceBytes = (QUANT_BLOCK_SIZE[scheme] * DTYPE_BITS[source.dtype]) / 8;
  const perStretch = Math.max(1, Math.floor(stretchBytes / blockSourceBytes));
  const blocks = elementCount(at([...weight.values, ...weight.scales], 0).shape.slice(0, 2));
  for (let first = 0; first < blocks; first += perStretch) {
    yield { kind: 'blocks', weight, first, end: Math.min(blocks, first + perStretch) };
  }
}

/** Where a stretch lies in the new file, in the order in which its bytes are written. */
export function stretchRanges(stretch: Stretch): { readonly begin: number; readonly end: number }[] {
  if (stretch.kind === 'bytes') {
    const { parts } = stretch;
    return [{ begin: at(parts, 0).begin, end: at(parts, parts.length - 1).end }];
  }
  const { weight, first, end } = stretch;
  return [...weight.values, ...weight.scales].map(({ begin, shape, end: tensorEnd }) => {
    const blockBytes = (tensorEnd - begin) / elementCount(shape.slice(0, 2));
    return { begin: begin + first * blockBytes, end: begin + end * blockBytes };
  });
}

/** Consecutive values of a weight that fill blocks, the last of which may end early. */
export interface BlockRun {
  /** Blocks before it in the range. */
  readonly blocksBefore: number;
  /** Values of the weight. */
  readonly begin: number;
  readonly end: number;
}

/** The runs of values that a range of blocks is made of: one for every row whose last block is not full, else one. */
export function blockRuns({ weight: { source, scheme }, first, end }: BlockStretch): BlockRun[] {
  const blockSize = QUANT_BLOCK_SIZE[scheme];
  const columns = at(source.shape, 1);
  if (columns % blockSize === 0) return [{ blocksBefore: 0, begin: first * blockSize, end: end * blockSize }];
  const rowBlocks = Math.ceil(columns / blockSize);
  const runs: BlockRun[] = [];
  for (let block = first; block < end;) {
    const row = Math.floor(block / rowBlocks);
    const runEnd = Math.min(end, (row + 1) * rowBlocks);
    const rowBegin = row * columns;
    runs.push({
      blocksBefore: block - first,
      begin: rowBegin + (block - row * rowBlocks) * blockSize,
      end: rowBegin + Math.min(columns, (runEnd - row * rowBlocks) * blockSize),
    });
    block = runEnd;
  }
  return runs;
}
