import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { Blip2Error } from '../../errors.js';
import { readState } from '../run/run-file.js';
import type { RunFolder } from '../run/run-folder.js';
import { queueId } from './queue-data.js';

const QUEUE_FILE = 'queue.json';

const queueFile = z.strictObject({
  version: z.literal(1),
  /** What the run is called in queues: two runs that share a server share nothing else. */
  id: queueId,
  /** Flags of the command line that decide what is written, so that workers need not repeat them. */
  flags: z.array(z.string()),
});

export type QueueFile = z.infer<typeof queueFile>;

/** What a folder says of its run's queue; makes it say so where it does not. */
export async function keepQueueFile(folder: RunFolder, flags: readonly string[]): Promise<QueueFile> {
  const known = await readQueueFile(folder);
  if (known !== null) return known;
  const file = { version: 1, id: randomBytes(8).toString('hex'), flags };
  await folder.createStateFile(QUEUE_FILE, `${JSON.stringify(file, null, 2)}\n`);
  // Somebody else may have made one at the same time.
  return knownQueueFile(folder);
}

/** @throws Blip2Error `RUN_MISSING` where nothing has been added */
export async function knownQueueFile(folder: RunFolder): Promise<QueueFile> {
  const file = await readQueueFile(folder);
  if (file !== null) return file;
  throw new Blip2Error('RUN_MISSING', `${folder.name} holds no run that was added to a queue`, {
    hint: 'blip2-run queue add does that, with the same --out. Does this machine see that folder?',
  });
}

const readQueueFile = (folder: RunFolder): Promise<QueueFile | null> =>
  readState(folder, QUEUE_FILE, queueFile, 'this version');
