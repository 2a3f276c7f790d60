/**
 * Every rule at once: where opening stops at the first fault, verifying goes on and lists them all.
 */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { ErrorCode } from '../../error-codes.js';
import { Blip2Error } from '../../errors.js';
import { DTYPE_BITS } from '../../tensor/dtype.js';
import type { Checkpoint, CheckpointWarning } from '../checkpoint/checkpoint.js';
import { findCheckpoint } from '../checkpoint/find-checkpoint.js';
import { openCheckpoint } from '../open-checkpoint.js';
import type { OpenOptions } from '../hub/hub-settings.js';
import { FileSource } from '../file/file-source.js';
import { readChunks } from '../file/read-chunks.js';
import { SourceFiles } from '../file/source-files.js';
import { readHeader } from '../format/read-header.js';
import { shardNames } from '../checkpoint/read-index-file.js';
import { pairFault } from '../quant/stored-weights.js';
import { countNonFinite } from './float-values.js';
import { parseQuantizedName, quantizedNames } from '../../tensor/quantized.js';
import { quote } from '../format/quote.js';

/** A fault, by the code of the error that opening or loading would end with, or something to know. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  /** Errors have an error's code. */
  readonly code: ErrorCode | CheckpointWarning['code'] | 'NON_FINITE' | 'QUANTIZED_WEIGHT' | 'UNALIGNED';
  readonly message: string;
  readonly file?: string;
  readonly tensor?: string;
}

/** How far to look. */
export interface VerifyOptions extends OpenOptions {
  /** Also reads every byte: checksums of the hub's cache, values that are not finite. Downloads a model on the hub. */
  readonly deep?: boolean;
  readonly onProgress?: (readBytes: number, totalBytes: number) => void;
}

/** What was found, and in how many `files` and `tensors`; both are 0 where the checkpoint cannot be opened. */
export interface Verification {
  /** Errors first. No error: the reference reader and transformers load it. */
  readonly findings: readonly Finding[];
  readonly files: number;
  readonly tensors: number;
}

/**
 * Everything that is wrong with a checkpoint, where opening it would stop at the first.
 * @param where as for `openCheckpoint`
 * @throws SafetensorsError `CHECKPOINT_NOT_FOUND`; what is wrong with a checkpoint that is there is a finding
 */
export async function verifyCheckpoint(where: string, options: VerifyOptions = {}): Promise<Verification> {
  let checkpoint: Checkpoint;
  try {
    checkpoint = await openCheckpoint(where, options);
    if (options.deep === true) checkpoint = await onThisMachine(checkpoint, options);
  } catch (error) {
    if (!(error instanceof Blip2Error) || error.code === 'CHECKPOINT_NOT_FOUND') throw error;
    return { findings: await everyFault(where, error), files: 0, tensors: 0 };
  }
  const findings: Finding[] = checkpoint.warnings.map((warning) =>
    warning.code === 'INDEX_WITHOUT_METADATA'
      ? { severity: 'error', code: 'INDEX_INVALID', message: warning.message }
      : { severity: 'warning', ...warning },
  );
  findings.push(...alignment(checkpoint), ...quantized(checkpoint));
  if (options.deep === true) findings.push(...(await deepFindings(checkpoint, options)));
  return {
    findings: findings.toSorted((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning')),
    files: checkpoint.files.length,
    tensors: checkpoint.tensors.size,
  };
}

/** Every byte of a model on the hub, in its cache. */
async function onThisMachine(checkpoint: Checkpoint, options: VerifyOptions): Promise<Checkpoint> {
  if (checkpoint.hub === undefined) return checkpoint;
  const { downloadTensors } = await import('../hub/open-hub-checkpoint.js');
  return downloadTensors(checkpoint, checkpoint.tensors.keys(), options);
}

/** The fault that stopped the opening, and those of every other shard. */
async function everyFault(where: string, first: Blip2Error): Promise<Finding[]> {
  const faults = new Map([[first.message, first]]);
  for (const path of await shardPaths(where)) {
    try {
      await using source = await FileSource.open(path);
      await readHeader(source);
    } catch (error) {
      if (!(error instanceof Blip2Error)) throw error;
      if (error.code !== 'IO_ERROR') faults.set(error.message, error);
    }
  }
  return [...faults.values()].map(toFinding);
}

async function shardPaths(where: string): Promise<string[]> {
  try {
    const found = await findCheckpoint(where);
    return (await shardNames(found)).map((name) => join(found.folder, name));
  } catch {
    return [];
  }
}

function toFinding({ code, message, details: { file, tensor } }: Blip2Error): Finding {
  return {
    severity: 'error',
    code,
    message,
    ...(typeof file === 'string' ? { file } : {}),
    ...(typeof tensor === 'string' ? { tensor } : {}),
  };
}

/** Data that typed arrays and GPUs cannot use in place: legal, but copied by every reader. */
function alignment({ files, tensors }: Checkpoint): Finding[] {
  return files.flatMap(({ name, path }) => {
    const unaligned = [...tensors].filter(
      ([, { file, begin, dtype }]) => file === path && begin % Math.max(1, DTYPE_BITS[dtype] / 8) !== 0,
    );
    const [first] = unaligned;
    if (first === undefined) return [];
    const message = `${name}: ${unaligned.length} tensors do not begin at a multiple of their dtype's size, the first is ${quote(first[0])}. \`blip2-shard convert\` aligns them.`;
    return [{ severity: 'warning' as const, code: 'UNALIGNED', message, file: path, tensor: first[0] }];
  });
}

/** Weights in small integers that `blip2-run` could not use: half of one, or halves that do not fit each other. */
function quantized({ tensors }: Checkpoint): Finding[] {
  const findings: Finding[] = [];
  for (const [name, tensor] of tensors) {
    const parsed = parseQuantizedName(name);
    if (parsed === null) continue;
    const { weight, scheme, half } = parsed;
    const names = quantizedNames(weight, scheme);
    const [values, scales] = [tensors.get(names.values), tensors.get(names.scales)];
    const missing = values === undefined ? names.values : scales === undefined ? names.scales : null;
    // Both halves are there: said once.
    const misfit = values && scales && half === 'values' ? pairFault(values, scales, scheme) : null;
    const fault = missing === null ? misfit : `lacks ${missing}`;
    if (fault === null) continue;
    const message = `${quote(weight)} as ${scheme} ${fault}; blip2-run cannot use it.`;
    findings.push({ severity: 'warning', code: 'QUANTIZED_WEIGHT', message, file: tensor.file, tensor: name });
  }
  return findings;
}

async function deepFindings(checkpoint: Checkpoint, { signal, onProgress }: VerifyOptions): Promise<Finding[]> {
  const findings: Finding[] = [];
  const blobs = checkpoint.files.filter(({ path }) => isChecksum(basename(path)));
  const blobBytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const tensorBytes = [...checkpoint.tensors.values()].reduce((sum, { begin, end }) => sum + end - begin, 0);
  let readBytes = 0;
  const count = (chunk: Uint8Array): void => {
    signal?.throwIfAborted();
    readBytes += chunk.length;
    onProgress?.(readBytes, blobBytes + tensorBytes);
  };
  for (const { name, path, sizeBytes } of blobs) {
    await using source = await FileSource.open(path);
    const hash = createHash('sha256');
    for await (const chunk of readChunks(source, 0, sizeBytes)) {
      hash.update(chunk);
      count(chunk);
    }
    const digest = hash.digest('hex');
    if (digest === basename(path)) continue;
    const message = `${name}: its SHA-256 is ${digest}, the hub's cache says ${basename(path)}: fetch it again`;
    findings.push({ severity: 'error', code: 'CHECKSUM_MISMATCH', message, file: path });
  }
  await using sources = new SourceFiles();
  for (const [name, tensor] of checkpoint.tensors) {
    let unusual = 0;
    for await (const chunk of readChunks(await sources.get(tensor.file), tensor.begin, tensor.end)) {
      unusual += countNonFinite(chunk, tensor.dtype);
      count(chunk);
    }
    if (unusual === 0) continue;
    const message = `${quote(name)} has ${unusual} values that are infinite or not a number`;
    findings.push({ severity: 'warning', code: 'NON_FINITE', message, file: tensor.file, tensor: name });
  }
  return findings;
}

/** The hub names a large file by its SHA-256, a small one by its git hash, which has 40 digits. */
function isChecksum(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}
