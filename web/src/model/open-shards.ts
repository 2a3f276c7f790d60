/** A checkpoint from the headers of its shards, read as the command reads them. */
import { checkIndex, type OpenShard } from '../../../src/loader/checkpoint/check-index.js';
import { parseConfig } from '../../../src/loader/checkpoint/parse-config.js';
import type { CheckpointIndex } from '../../../src/loader/checkpoint/parse-index.js';
import { readHeader, type ByteSource } from '../../../src/loader/format/read-header.js';
import type { TensorInfo } from '../../../src/tensor/tensor-info.js';
import type { OpenModel } from './open-model.js';

/** Published ones have some thousand bytes. */
export const MAX_CONFIG_BYTES = 4_000_000;

export interface FoundFiles {
  readonly id: string;
  readonly configText: string | null;
  readonly index: { readonly name: string; readonly parsed: CheckpointIndex } | null;
  /** In the order of their names. */
  readonly shards: readonly ByteSource[];
  readonly warnings: readonly string[];
}

/** @throws Blip2Error `CONFIG_INVALID`, SafetensorsError for every rule of the format */
export async function openShards({ id, configText, index, shards, warnings }: FoundFiles): Promise<OpenModel> {
  const config = configText === null ? null : parseConfig(configText, 'config.json');
  const open = await Promise.all(shards.map(openShard));
  const indexed = index === null ? null : checkIndex(index.parsed, open, index.name);
  const tensors = indexed?.tensors ?? new Map(open.flatMap((shard) => [...shard.tensors]));
  // What transformers loads takes room, whether the index lists it or not.
  const loaded = [...tensors, ...(indexed?.unlisted ?? [])];
  return {
    identity: { id, files: open.map(({ file }) => file.name), fingerprint: await headerFingerprint(tensors) },
    config,
    tensors: new Map(loaded.map(([name, { dtype, shape, file }]) => [name, { dtype, shape, file }])),
    ...(index === null || index.parsed.dtype === null ? {} : { indexDtype: index.parsed.dtype }),
    warnings: [...warnings, ...(indexed?.warnings ?? []).map(({ message }) => message)],
  };
}

async function openShard(source: ByteSource): Promise<OpenShard> {
  const { metadata, tensors, dataStart, deviations } = await readHeader(source);
  const { name, path, sizeBytes } = source;
  return {
    file: { name, path, sizeBytes, dataStart, metadata: metadata ?? new Map<string, string>() },
    tensors,
    deviations,
  };
}

/** `checkpointFingerprint` with the browser's SHA-256; null where the page is served without encryption, which has none. */
async function headerFingerprint(tensors: ReadonlyMap<string, TensorInfo>): Promise<string | null> {
  if (!isSecureContext) return null;
  const rows = [...tensors].map(([name, { dtype, shape }]) => JSON.stringify([name, dtype, shape]));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(rows.toSorted().join('\n')));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
