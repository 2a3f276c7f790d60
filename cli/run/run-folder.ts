import { isBucketUrl } from '../../src/bulk/bucket/bucket.js';
import { RunFolder, type ShardExtension } from '../../src/bulk/run/run-folder.js';
import { usageError } from '../common/main.js';
import type { BulkRequest } from './bulk-flags.js';

/** Of what each shard has a file of its own for. */
const EXTENSIONS: Readonly<Record<BulkRequest['format'], ShardExtension | null>> = {
  jsonl: 'jsonl',
  webdataset: 'tar',
  parquet: 'parquet',
  txt: null,
  metadata: null,
};

/** The folder that a run writes into, or what stands for one in a bucket. */
export async function openRunFolder(out: string, format: BulkRequest['format']): Promise<RunFolder> {
  const extension = EXTENSIONS[format];
  if (!isBucketUrl(out)) return new RunFolder(out, extension);
  if (extension === null) {
    throw usageError(`--format ${format} needs a folder, and ${out} is none`, 'Choose jsonl, webdataset or parquet.');
  }
  const { BucketRunFolder } = await import('../../src/bulk/run/bucket-run-folder.js');
  return BucketRunFolder.open(out, extension);
}
