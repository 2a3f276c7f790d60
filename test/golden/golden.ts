/** What transformers answered (float32, CPU). The recorder lies beside the recordings. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { openCheckpoint, type Checkpoint } from '../../src/loader/index.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import type { Block } from '../../src/model/blocks.js';
import type { SessionSources } from '../../src/runtime/session/cpu/start-program.js';
import type { WordBatch } from '../../src/runtime/session/model/word-wires.js';
import { cpuOptions, type StageWeights } from '../../src/runtime/session/cpu/cpu-options.js';

export const GOLDENS = join(import.meta.dirname, '../fixtures/goldens');
export const DEMO = join(import.meta.dirname, '../../models/demo');

export interface Recording {
  readonly tensors: Tensors;
  /** Whole sequences, the prompt with its placeholders in front (OPT), by generation setting. */
  readonly answers: Readonly<Record<string, { readonly options: object; readonly ids: readonly number[][] }>>;
}

export type Tensors = ReadonlyMap<string, Tensor>;

export const CHECKPOINTS = [
  'tiny-opt',
  'tiny-opt-postnorm',
  'tiny-opt-projected',
  'tiny-flan-t5',
  'tiny-t5-relu-tied',
  'tiny-instructblip-llama',
  'tiny-instructblip-t5',
];
export const BATCHES = ['batch', 'padded_batch'] as const;

export async function readRecording(name: string, batch: (typeof BATCHES)[number]): Promise<Recording> {
  const folder = join(GOLDENS, name);
  const answers = JSON.parse(await readFile(join(folder, 'goldens.json'), 'utf8')) as Record<
    string,
    Recording['answers']
  >;
  const file = join(folder, batch === 'batch' ? '.' : 'padded', 'goldens.safetensors');
  return { tensors: await readTensors(file), answers: answers[batch] ?? {} };
}

/** A `.safetensors` file of float32 and int64 tensors. */
export async function readTensors(file: string): Promise<Tensors> {
  const { tensors } = await openCheckpoint(file);
  const bytes = await readFile(file);
  return new Map(
    [...tensors].map(([name, { dtype, shape, begin, end }]) => {
      const data = new Uint8Array(bytes.subarray(begin, end)).buffer;
      const tensor =
        dtype === 'F32'
          ? new Tensor('float32', new Float32Array(data), shape)
          : new Tensor('int64', new BigInt64Array(data), shape);
      return [name, tensor];
    }),
  );
}

/** The ids and masks after the picture. */
export function promptOf({ tensors }: Recording, queryTokens: number) {
  const text = (name: string) => rowsOf(tensorOf(tensors, name)).map((row) => row.slice(queryTokens));
  return { textIds: text('input_ids'), textMask: text('attention_mask') };
}

/** The instruction for the Q-Former, which an InstructBLIP's recording has. */
export function wordsOf({ tensors }: Recording): WordBatch | undefined {
  if (!tensors.has('qformer_input_ids')) return undefined;
  const rows = (name: string) => rowsOf(tensorOf(tensors, name));
  return { ids: rows('qformer_input_ids'), mask: rows('qformer_attention_mask') };
}

/** One float32 weight of a recorded checkpoint. */
export async function readWeight({ tensors }: SessionSources<number>, name: string): Promise<Float32Array> {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`no weight ${name}`);
  const bytes = (await readFile(tensor.file)).subarray(tensor.begin, tensor.end);
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/** A checkpoint on the CPU; blocks at one place share a session. */
export function sourcesOf(
  { config, tensors }: Checkpoint,
  placeOf: (block: Block) => number = () => 0,
): SessionSources<number> {
  const optionsOf = (_: number, weights: StageWeights) => cpuOptions(weights, { threads: 1 });
  return { config: parseBlip2Config(config), tensors, placeOf, optionsOf };
}

export async function goldenSources(name: string, placeOf?: (block: Block) => number): Promise<SessionSources<number>> {
  return sourcesOf(await openCheckpoint(join(GOLDENS, name)), placeOf);
}

export function tensorOf(tensors: Tensors, name: string): Tensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  return tensor;
}

/** The largest absolute difference; NaN where shapes differ. */
export function maxDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return NaN;
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? NaN))), 0);
}

export const floats = (tensor: Tensor): Float32Array => tensor.data as Float32Array;

/** An int64 matrix as rows of numbers. */
export function rowsOf(tensor: Tensor): number[][] {
  const [rows = 0, columns = 0] = tensor.dims;
  const values = Array.from(tensor.data as BigInt64Array, Number);
  return Array.from({ length: rows }, (_, row) => values.slice(row * columns, (row + 1) * columns));
}
