import { knownQueueFile } from '../../src/bulk/queue/queue-file.js';
import type { RunFolder } from '../../src/bulk/run/run-folder.js';
import { usageError } from '../common/main.js';
import { readBulk, type BulkRequest } from '../run/bulk-flags.js';
import { openRunFolder } from '../run/run-folder.js';
import { parseRunFlags } from './run-flags.js';

export interface QueuedRun {
  /** What the run is called in its queue. */
  readonly id: string;
  readonly folder: RunFolder;
  readonly request: BulkRequest;
  /** What decides the texts, as the command line that added the run said it. */
  readonly asked: Awaited<ReturnType<typeof parseRunFlags>>;
}

/** The run that was added with this `--out`. @throws Blip2Error `RUN_MISSING`, `RUN_INVALID` */
export async function queuedRun(out: string): Promise<QueuedRun> {
  await using state = await openRunFolder(out, 'jsonl');
  const { id, flags } = await knownQueueFile(state);
  const asked = await parseRunFlags(flags);
  const request = await readBulk({ ...asked, images: [], out });
  if (request === null) throw usageError('no --out given');
  return { id, folder: await openRunFolder(out, request.format), request, asked };
}
