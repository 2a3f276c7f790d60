import { createHash } from 'node:crypto';
import type { Checkpoint } from './checkpoint.js';

/**
 * What a checkpoint is, as far as its headers tell: SHA-256 over every tensor's name, dtype and shape. The same weights have
 * the same fingerprint wherever they lie, and in whatever shards; weights are not read.
 */
export function checkpointFingerprint({ tensors }: Pick<Checkpoint, 'tensors'>): string {
  const rows = [...tensors].map(([name, { dtype, shape }]) => JSON.stringify([name, dtype, shape]));
  return createHash('sha256').update(rows.toSorted().join('\n')).digest('hex');
}
