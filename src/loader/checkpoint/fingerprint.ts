import { createHash } from 'node:crypto';
import type { Checkpoint } from './checkpoint.js';

/**
 * What a checkpoint is, as far as its headers tell: SHA-256 over every tensor's name, dtype, shape, shard and place in
 * it. Two folders with the same shards have the same fingerprint wherever they lie; weights are not read.
 */
export function checkpointFingerprint(checkpoint: Checkpoint): string {
  const shardOf = new Map(checkpoint.files.map((file) => [file.path, file.name]));
  const rows = [...checkpoint.tensors].map(([name, { dtype, shape, file, begin, end }]) =>
    JSON.stringify([name, dtype, shape, shardOf.get(file) ?? '', begin, end]),
  );
  return createHash('sha256').update(rows.toSorted().join('\n')).digest('hex');
}
