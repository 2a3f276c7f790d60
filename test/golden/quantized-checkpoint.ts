/** A checkpoint with its language model in small integers, and the same numbers as floats. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint, type Checkpoint, type StoredTensor } from '../../src/loader/index.js';
import { convertFloats } from '../../src/loader/convert/convert-floats.js';
import { quantizeCheckpoint } from '../../src/loader/quant/quantize-checkpoint.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { blip2Blocks } from '../../src/model/blocks.js';
import { quantizableWeights } from '../../src/model/quantizable-weights.js';
import { tokenTableName } from '../../src/runtime/graph/vocabulary.js';
import { QUANT_BITS, quantizedNames, storedBlockSize, type QuantScheme } from '../../src/tensor/quantized.js';
import { safetensorsBytes } from '../loader/safetensors-bytes.js';

export interface QuantizedPair {
  readonly quantized: Checkpoint;
  /** Every quantised weight as the floats that its integers stand for. */
  readonly floats: Checkpoint;
}

/** Every block of the language model in one scheme. */
export function languageQuant({ config }: Checkpoint, scheme: QuantScheme): Map<string, QuantScheme> {
  const blocks = blip2Blocks(parseBlip2Config(config)).filter(({ phase }) => phase !== 'image');
  return new Map(blocks.map(({ name }) => [name, scheme]));
}

/** @param folder where the weights are written */
export async function quantizedPair(source: Checkpoint, scheme: QuantScheme, folder: string): Promise<QuantizedPair> {
  const config = parseBlip2Config(source.config);
  const table = tokenTableName(config.text, source.tensors);
  const weights = blip2Blocks(config).flatMap((block) => quantizableWeights(block, config, source.tensors, table));
  const asked = weights.map((weight) => ({ ...weight, scheme }));
  const quantized = await quantizeCheckpoint(source, asked, folder);

  const rows = await Promise.all(
    weights.map(async ({ name, source: from }) => {
      const names = quantizedNames(name, scheme);
      const values = tensorOf(quantized, names.values);
      const integers = await bytesOf(values);
      const scales = await halvesOf(tensorOf(quantized, names.scales));
      const { shape } = tensorOf(source, from);
      const blockSize = storedBlockSize(values, scheme);
      const numbers = dequantize(integers, scales, shape[1] ?? 0, { scheme, blockSize });
      return { name, dtype: 'F32', shape, bytes: new Uint8Array(numbers.buffer) };
    }),
  );
  const path = join(folder, `${scheme}-as-floats.safetensors`);
  await writeFile(path, safetensorsBytes(rows));
  const { tensors } = await openCheckpoint(path);
  return { quantized, floats: { ...source, tensors: new Map([...source.tensors, ...tensors]) } };
}

function dequantize(
  integers: Uint8Array,
  scales: Float32Array,
  columns: number,
  { scheme, blockSize }: { readonly scheme: QuantScheme; readonly blockSize: number },
): Float32Array {
  const bits = QUANT_BITS[scheme];
  const blocks = Math.ceil(columns / blockSize);
  const rows = scales.length / blocks;
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    const index = row * blocks * blockSize + column;
    const byte = integers[Math.floor((index * bits) / 8)] ?? 0;
    const integer = bits === 8 ? byte : index % 2 === 0 ? byte & 15 : byte >> 4;
    return (integer - 2 ** (bits - 1)) * (scales[row * blocks + Math.floor(column / blockSize)] ?? 0);
  });
}

function tensorOf({ tensors }: Checkpoint, name: string): StoredTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  return tensor;
}

async function bytesOf({ file, begin, end }: StoredTensor): Promise<Uint8Array> {
  return new Uint8Array((await readFile(file)).subarray(begin, end));
}

async function halvesOf(tensor: StoredTensor): Promise<Float32Array> {
  const bytes = await bytesOf(tensor);
  const numbers = new Float32Array(bytes.length / 2);
  convertFloats(bytes, 'F16', new Uint8Array(numbers.buffer), 'F32');
  return numbers;
}
