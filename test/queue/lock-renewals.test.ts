/** Shards in hand, as the built package keeps them: a thread cannot be made of a TypeScript source. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as Givers from '../../src/bulk/queue/queue-giver.js';
import type * as Renewals from '../../src/bulk/queue/lock-renewals.js';
import type * as Queues from '../../src/bulk/queue/run-queue.js';
import type * as Tallies from '../../src/bulk/run/tally.js';
import { ROOT } from '../cli/command.js';
import { findRedis, RedisServer } from './redis-server.js';

const built = (path: string): Promise<unknown> => import(pathToFileURL(join(ROOT, 'dist/src/bulk', path)).href);
const { LockRenewals } = (await built('queue/lock-renewals.js')) as typeof Renewals;
const { QueueGiver } = (await built('queue/queue-giver.js')) as typeof Givers;
const { RunQueue } = (await built('queue/run-queue.js')) as typeof Queues;
const { Tally } = (await built('run/tally.js')) as typeof Tallies;

const program = await findRedis();
/** The thread may be late by two thirds of it. */
const LOCK_MS = 9000;

describe.skipIf(program === null)('LockRenewals', () => {
  let server: RedisServer;
  let runs = 0;
  beforeAll(async () => {
    server = await RedisServer.start(program ?? '', { port: 19_000 + (process.pid % 1000) });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** A queue of two shards, and a worker of it. */
  async function opened() {
    const id = String(runs++).padStart(16, '0');
    const { url } = server;
    const events: Givers.QueueEvent[] = [];
    const queue = await RunQueue.open({ url, id });
    await queue.add([0, 1]);
    const onTrouble = (reason: string) => void events.push({ kind: 'trouble', reason });
    const renewals = new LockRenewals({ url, id, lockMs: LOCK_MS, onTrouble });
    const giver = await QueueGiver.open({
      url,
      id,
      queue,
      renewals,
      worker: 'w',
      shards: 2,
      keep: false,
      lockMs: LOCK_MS,
      stopping: new AbortController().signal,
      onEvent: (event) => void events.push(event),
    });
    return {
      id,
      giver,
      events,
      async [Symbol.asyncDispose]() {
        for (const each of [giver, renewals, queue]) await each[Symbol.asyncDispose]();
      },
    };
  }

  it('keeps a shard while its process does nothing else for longer than a lock lasts', async () => {
    await using worker = await opened();
    const shard = await worker.giver.next();
    // As a session that is built, or a row group that is unpacked: nothing else runs on this thread.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1.5 * LOCK_MS);
    await shard?.done(new Tally());
    expect(worker.events.map(({ kind }) => kind)).toEqual(['taken', 'done']);
  });

  it('says that a shard is lost, also to who asks later', async () => {
    await using worker = await opened();
    const [first, second] = [await worker.giver.next(), await worker.giver.next()];
    const lost = new Promise<void>((resolve) => first?.onLost(resolve));
    const redis = new Redis(server.url, { maxRetriesPerRequest: null });
    await redis.del(`blip2:${worker.id}:shard-000000:lock`, `blip2:${worker.id}:shard-000001:lock`);
    redis.disconnect();
    await lost;
    await new Promise<void>((resolve) => second?.onLost(resolve));
    expect(worker.events.filter(({ kind }) => kind === 'lost')).toEqual([
      { kind: 'lost', shard: 0 },
      { kind: 'lost', shard: 1 },
    ]);
  });

  it('says at once that there is no server', async () => {
    const nowhere = { url: 'redis://127.0.0.1:1', id: '0'.repeat(16), lockMs: LOCK_MS, onTrouble: () => undefined };
    await using renewals = new LockRenewals(nowhere);
    await expect(renewals.started).rejects.toMatchObject({ code: 'QUEUE_UNREACHABLE' });
  });
});
