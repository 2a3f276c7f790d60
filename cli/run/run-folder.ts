import { isBucketUrl } from '../../src/bulk/bucket/bucket.js';
import { RunFolder } from '../../src/bulk/run/run-folder.js';
import { usageError } from '../common/main.js';
import type { BulkRequest } from './bulk-flags.js';

/** The folder that a run writes into, or what stands for one in a bucket. */
export async function openRunFolder(out: string, format: BulkRequest['format']): Promise<RunFolder> {
  const recordsAreOutput = format === 'jsonl';
  if (!isBucketUrl(out)) return new RunFolder(out, recordsAreOutput);
  if (format === 'txt' || format === 'metadata') {
    throw usageError(`--format ${format} needs a folder, and ${out} is none`, 'Choose jsonl, webdataset or parquet.');
  }
  const { BucketRunFolder } = await import('../../src/bulk/run/bucket-run-folder.js');
  return BucketRunFolder.open(out, recordsAreOutput);
}
