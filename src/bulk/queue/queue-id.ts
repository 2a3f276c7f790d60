import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { Blip2Error } from '../../errors.js';
import type { RunFolder } from '../run/run-folder.js';
import { readQueueId } from './queue-data.js';

const queueFile = z.object({ version: z.literal(1), id: z.string() });

/** The id that a run has in queues: two runs that share a server share nothing else. */
export async function makeQueueId(folder: RunFolder): Promise<string> {
  const known = await findId(folder);
  if (known !== null) return known;
  const id = randomBytes(8).toString('hex');
  await folder.writeStateFile('queue.json', `${JSON.stringify({ version: 1, id })}\n`);
  // Where somebody else made one at the same time, the last one stays.
  return (await findId(folder)) ?? id;
}

/** @throws Blip2Error `QUEUE_UNKNOWN` where nothing has been added */
export async function knownQueueId(folder: RunFolder): Promise<string> {
  const id = await findId(folder);
  if (id !== null) return id;
  throw new Blip2Error('QUEUE_UNKNOWN', `${folder.path} holds no run that was added to a queue`, {
    hint: 'blip2-run queue add does that, with the same --out.',
  });
}

async function findId(folder: RunFolder): Promise<string | null> {
  const text = await folder.readStateFile('queue.json');
  if (text === null) return null;
  try {
    return readQueueId(queueFile.parse(JSON.parse(text)).id);
  } catch {
    return null;
  }
}
