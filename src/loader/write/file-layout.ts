/** The layout of a safetensors file to be written, by the reference writer's rules. Pure. */
import { found } from '../../checked-access.js';
import { Blip2Error } from '../../errors.js';
import { DTYPE_BITS, type Dtype } from '../../tensor/dtype.js';
import { tensorBytes, type TensorInfo } from '../../tensor/tensor-info.js';
import { MAX_HEADER_BYTES } from '../format/read-header.js';
import { SafetensorsError } from '../format/safetensors-error.js';

/** How a safetensors file is laid out. */
export interface LayoutOptions {
  /** Written in sorted order: the reference writes its hash map, whose order differs from run to run. */
  readonly metadata?: ReadonlyMap<string, string>;
  /**
   * `reference`: larger dtypes first, then by name, which aligns every tensor to its dtype without holes. `given`: as
   * the tensors come.
   */
  readonly order?: 'reference' | 'given';
  /**
   * The data starts at a multiple of this; the header is padded with spaces. 256 is what CUDA asks of the weights it
   * reads in place. 8 is what the reference writer does.
   */
  readonly alignBytes?: number;
}

const DEFAULT_ALIGN_BYTES = 256;

/** A tensor and its place: from `begin` up to `end`, in bytes from the first of the file. */
export interface PlacedTensor extends TensorInfo {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

/** Where everything of a safetensors file will stand, before any of it is written. */
export interface FileLayout {
  /** Everything before the data: 8 bytes of length and the padded header. */
  readonly front: Uint8Array;
  readonly tensors: readonly PlacedTensor[];
  readonly sizeBytes: number;
}

/** From high to low, as the reference writer ranks them: `DTYPE_BITS` lists its enum, which runs from low to high. */
const RANK = new Map(Object.keys(DTYPE_BITS).map((dtype, rank) => [dtype as Dtype, -rank]));

/**
 * Where everything of a file with these tensors stands.
 * @throws SafetensorsError where no reader would accept the header: `HEADER_TOO_LARGE`, and `DUPLICATE_KEY` for a tensor named
 *   `__metadata__`; Blip2Error `OPTION_INVALID`.
 */
export function layoutFile(tensors: Iterable<readonly [string, TensorInfo]>, options: LayoutOptions = {}): FileLayout {
  const { metadata, order = 'reference', alignBytes = DEFAULT_ALIGN_BYTES } = options;
  if (!Number.isSafeInteger(alignBytes) || alignBytes < 1)
    throw new Blip2Error('OPTION_INVALID', `alignBytes is ${alignBytes}; it has to be a whole number of at least 1`);
  const ordered = [...tensors];
  if (order === 'reference') ordered.sort(compareByReference);
  const entries: string[] = [];
  if (metadata !== undefined) entries.push(`"__metadata__":${metadataJson(metadata)}`);
  const placed: { name: string; dtype: Dtype; shape: readonly number[]; begin: number; end: number }[] = [];
  let end = 0;
  for (const [name, { dtype, shape }] of ordered) {
    if (name === '__metadata__') throw reservedName(name);
    const begin = end;
    end += tensorBytes({ dtype, shape });
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
    placed.push({ name, dtype, shape, begin, end });
  }
  const front = frontBytes(`{${entries.join(',')}}`, alignBytes);
  for (const tensor of placed) {
    tensor.begin += front.length;
    tensor.end += front.length;
  }
  return { front, tensors: placed, sizeBytes: front.length + end };
}

function reservedName(name: string): SafetensorsError {
  return new SafetensorsError('DUPLICATE_KEY', '(new file)', `cannot have a tensor named ${name}`, {
    tensor: name,
    hint: 'Under this name a file says what is no tensor. Give the tensor another one.',
  });
}

function compareByReference(
  [a, { dtype: dtypeA }]: readonly [string, TensorInfo],
  [b, { dtype: dtypeB }]: readonly [string, TensorInfo],
): number {
  return found(RANK, dtypeA) - found(RANK, dtypeB) || compareUtf8(a, b);
}

/** The order of the UTF-8 bytes, which is that of code points; the default order of JavaScript is that of UTF-16. */
export function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function metadataJson(metadata: ReadonlyMap<string, string>): string {
  const pairs = [...metadata].sort(([a], [b]) => compareUtf8(a, b));
  return `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
}

function frontBytes(json: string, alignBytes: number): Uint8Array {
  const jsonBytes = Buffer.from(json);
  const dataStart = Math.ceil((8 + jsonBytes.length) / alignBytes) * alignBytes;
  if (dataStart - 8 > MAX_HEADER_BYTES) {
    throw new SafetensorsError(
      'HEADER_TOO_LARGE',
      '(new file)',
      `needs a header of ${dataStart - 8} bytes; the limit is ${MAX_HEADER_BYTES}`,
      {
        hint:
          8 + jsonBytes.length > MAX_HEADER_BYTES
            ? 'Write more shards with fewer tensors each.'
            : `The tensors take ${jsonBytes.length} of them, and aligning to ${alignBytes} the others: align to less, such as ${DEFAULT_ALIGN_BYTES}.`,
      },
    );
  }
  const front = Buffer.alloc(dataStart, ' ');
  front.writeBigUInt64LE(BigInt(dataStart - 8));
  jsonBytes.copy(front, 8);
  return front;
}
