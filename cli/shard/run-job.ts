import { join } from 'node:path';
import { formatSize } from '../../src/planner/index.js';
import { type CheckpointJob, writeCheckpoint, type WrittenCheckpoint } from '../../src/loader/index.js';
import { unsharedMetadata } from '../../src/loader/shard/planned-shard.js';
import { counted } from '../common/counted.js';
import { EXIT } from '../common/main.js';
import { listed } from '../common/listed.js';
import { RateLine } from '../common/rate-line.js';
import { warnOf } from '../common/warn-of.js';

export interface JobFlags {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly 'dry-run'?: boolean | undefined;
  readonly align?: number | undefined;
}

/**
 * Writes a checkpoint and reports it: on stdout the path of the index (or of the only file), or one JSON document; on
 * stderr progress and a line for every file.
 */
export async function runJob(job: CheckpointJob, out: string, flags: JobFlags, signal: AbortSignal): Promise<number> {
  const quiet = flags.quiet === true;
  const rate = new RateLine(!quiet);
  const dryRun = flags['dry-run'] === true;
  warnOf(job.source, quiet);
  const unshared = quiet || job.metadata !== undefined ? [] : unsharedMetadata(job.source.files);
  if (unshared.length > 0)
    process.stderr.write(
      `note: not written, as the files say different things of it: __metadata__ ${listed(unshared)}\n`,
    );
  let written: WrittenCheckpoint;
  try {
    written = await writeCheckpoint(job, out, {
      ...(flags.align === undefined ? {} : { alignBytes: flags.align }),
      dryRun,
      signal,
      onProgress: (done, total) => rate.update(done, total),
    });
  } finally {
    rate.clear();
  }
  if (!quiet) process.stderr.write(summary(written, dryRun));
  const { overflowedValues } = written;
  if (overflowedValues > 0)
    process.stderr.write(
      `warning: ${overflowedValues} ${overflowedValues === 1 ? 'value is' : 'values are'} beyond the new dtype and became infinite: float16 ends at 65504, bfloat16 at 3.3895e38 [VALUES_OVERFLOW]\n`,
    );
  const answer = join(out, written.index ?? written.shards[0]?.file ?? '');
  process.stdout.write(
    flags.json === true ? `${JSON.stringify({ dryRun, ...written })}\n` : dryRun ? '' : `${answer}\n`,
  );
  return EXIT.ok;
}

function summary({ shards, totalBytes }: WrittenCheckpoint, dryRun: boolean): string {
  const lines = shards.map(({ file, sizeBytes, device, resumed }) => {
    const notes = [...(device === undefined ? [] : [`for ${device}`]), ...(resumed ? ['was there already'] : [])];
    return `${file}  ${formatSize(sizeBytes)}${notes.length === 0 ? '' : `  (${notes.join(', ')})`}\n`;
  });
  return `${lines.join('')}${dryRun ? 'would write' : 'wrote'} ${counted(shards.length, 'file')}, ${formatSize(totalBytes)} of tensors\n`;
}
