import type { Checkpoint } from '../../src/loader/checkpoint/checkpoint.js';
import { openCheckpoint } from '../../src/loader/checkpoint/open-checkpoint.js';
import { RateLine } from './rate-line.js';

export interface SourceFlags {
  readonly revision?: string | undefined;
  readonly quiet?: boolean | undefined;
}

/** Opens a checkpoint and has its weights on this machine: those of a model on the hub are downloaded into its cache. */
export async function openSource(where: string, flags: SourceFlags, signal: AbortSignal): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(where, { ...revisionOf(flags), signal });
  if (checkpoint.hub === undefined) return checkpoint;
  const { downloadTensors } = await import('../../src/loader/hub/open-hub-checkpoint.js');
  const rate = new RateLine(flags.quiet !== true);
  return downloadTensors(checkpoint, checkpoint.tensors.keys(), {
    signal,
    onProgress: (done, total) => rate.update(done, total),
  }).finally(() => rate.clear());
}

export function revisionOf({ revision }: SourceFlags): { revision?: string } {
  return revision === undefined ? {} : { revision };
}
