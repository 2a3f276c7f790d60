import { RunFolder } from '../../src/bulk/run/run-folder.js';
import type { BulkRequest } from './bulk-flags.js';

/** The folder that a run writes into. */
export async function openRunFolder(out: string, format: BulkRequest['format']): Promise<RunFolder> {
  return new RunFolder(out, format === 'jsonl');
}
