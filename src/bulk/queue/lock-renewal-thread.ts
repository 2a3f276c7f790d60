/** A thread that renews the locks of a process's shards. Started by `LockRenewals`; ends with them. */
import { parentPort, workerData } from 'node:worker_threads';
import { sendError } from '../../runtime/sent-error.js';
import type { HeldTask, RenewalReply, RenewalRequest, RenewalSettings } from './lock-renewals.js';
import { connectQueue, KEY_PREFIX } from './queue-connection.js';

/** A lock is renewed so often in the time it lasts. */
const RENEWALS = 3;

const { url, id, lockMs } = workerData as RenewalSettings;
const held = new Map<number, HeldTask>();
const reply = (answer: RenewalReply): void => parentPort?.postMessage(answer);

async function start(): Promise<void> {
  const { packages, redis } = await connectQueue(url);
  const locks = new packages.Worker(id, null, { connection: redis, prefix: KEY_PREFIX, autorun: false });
  // What a renewal meets, its answer says.
  locks.on('error', () => undefined);
  let isRenewing = false;

  /** @returns holds whose tasks somebody else may have */
  async function renew(): Promise<number[]> {
    const holds = [...held];
    if (holds.length === 0) {
      await redis.ping();
      return [];
    }
    const tasks = holds.map(([, { task }]) => task);
    const tokens = holds.map(([, { token }]) => token);
    const lost = new Set(await locks.extendJobLocks(tasks, tokens, lockMs));
    const gone = holds.filter(([, { task }]) => lost.has(task)).map(([hold]) => hold);
    for (const hold of gone) held.delete(hold);
    return gone;
  }

  setInterval(() => {
    // A server that has gone is asked once.
    if (isRenewing) return;
    isRenewing = true;
    void renew()
      .then(
        (lost) => reply({ kind: 'renewed', lost }),
        (error: unknown) => reply({ kind: 'trouble', reason: String(error) }),
      )
      .finally(() => (isRenewing = false));
  }, lockMs / RENEWALS);

  parentPort?.on('message', (request: RenewalRequest) => {
    if (request.kind === 'hold') held.set(request.hold, request.held);
    else held.delete(request.hold);
  });
  reply({ kind: 'started' });
}

void start().catch((error: unknown) => reply({ kind: 'failed', error: sendError(error) }));
