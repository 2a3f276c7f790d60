import { setTimeout } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { Blip2Error, reasonOf } from '../../errors.js';
import { loadBullmq } from './load-bullmq.js';

/** All keys of all runs on a server begin with this. */
export const KEY_PREFIX = 'blip2';
/** For a server to say that it is one. */
const CONNECT_MS = 10_000;
/** Between two tries to reach a server that has gone. */
const LONGEST_WAIT_MS = 2000;

/** @throws Blip2Error `QUEUE_INVALID` for what is no address of a Redis or Valkey server */
export function checkQueueUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isGood = (url?.protocol === 'redis:' || url?.protocol === 'rediss:') && /^(\/\d{0,4})?$/.test(url.pathname);
  if (isGood && url.hostname !== '') return text;
  throw new Blip2Error('QUEUE_INVALID', `${withoutPassword(text)} is no address of a Redis or Valkey server`, {
    hint: 'Such as redis://host, redis://:password@host:6379/0, or rediss://host with TLS.',
  });
}

/** An address as it may be shown. */
export function withoutPassword(text: string): string {
  return text.replace(/\/\/[^@/]*@/, '//***@');
}

export interface QueueConnection extends Disposable {
  readonly packages: Awaited<ReturnType<typeof loadBullmq>>;
  readonly redis: Redis;
}

/**
 * A connection that waits for a server which goes away later, however long.
 * @throws Blip2Error `PACKAGE_MISSING`; `QUEUE_UNREACHABLE` where there is no server now, or it refuses; `QUEUE_INVALID` where
 *   something else answers; `QUEUE_UNSAFE`
 */
export async function connectQueue(url: string): Promise<QueueConnection> {
  const packages = await loadBullmq();
  let hasConnected = false;
  const redis = new packages.Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    maxRetriesPerRequest: null,
    retryStrategy: (tries) => (hasConnected ? Math.min(100 * tries, LONGEST_WAIT_MS) : null),
  });
  let reason: unknown;
  // Without a listener, an error would end the process.
  redis.on('error', (error) => (reason = error));
  try {
    await Promise.race([greet(redis), silence()]);
    hasConnected = true;
    await tryToWrite(redis);
    await refuseEviction(redis, url);
  } catch (error) {
    // Of a socket that has closed, ioredis waits two seconds for the end.
    if (redis.status !== 'end') redis.disconnect();
    throw error instanceof Blip2Error ? error : noQueue(url, reason ?? error);
  }
  return { packages, redis, [Symbol.dispose]: () => redis.disconnect() };
}

async function greet(redis: Redis): Promise<void> {
  await redis.connect();
  await redis.ping();
}

/** What runs do later, so that a server which does not let them says so before any work. */
async function tryToWrite(redis: Redis): Promise<void> {
  // ioredis goes on with database 0 where there is none of the number.
  if (redis.options.db !== undefined && redis.options.db !== 0) await redis.select(redis.options.db);
  await redis.eval("return redis.call('DEL', KEYS[1])", 1, `${KEY_PREFIX}:permitted`);
}

async function silence(): Promise<never> {
  await setTimeout(CONNECT_MS, undefined, { ref: false });
  throw new Error(`nothing there answers as such a server within ${CONNECT_MS / 1000} s`);
}

/** What a server says that will say the same again, and what helps. */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [
    /NOAUTH|WRONGPASS/,
    'Write the password into the address, as redis://:PASSWORD@host or redis://USER:PASSWORD@host; special characters as %40 and the like.',
  ],
  [
    /NOPERM/,
    `Let that user run scripts and all commands on the keys of queues: ACL SETUSER USER +@all ~${KEY_PREFIX}:*`,
  ],
  [/READONLY/, 'That server is a replica: name the one that it follows.'],
  [/DB index/, 'Servers have databases 0 to 15 unless it was set.'],
];

function noQueue(url: string, cause: unknown): Blip2Error {
  const said = reasonOf(cause);
  const shown = withoutPassword(url);
  if (/RESP type|Protocol error/.test(said)) {
    return new Blip2Error('QUEUE_INVALID', `what answers at ${shown} is no Redis or Valkey server`, {
      hint: 'Check the port: theirs is 6379 unless it was set.',
      cause,
    });
  }
  if (/wrong version number|packet length too long/.test(said)) {
    return new Blip2Error('QUEUE_INVALID', `what answers at ${shown} speaks no TLS`, {
      hint: 'Write redis:// for a server without TLS, and check the port.',
      cause,
    });
  }
  const refused = REFUSALS.find(([words]) => words.test(said));
  if (refused !== undefined) {
    const [, hint] = refused;
    return new Blip2Error('QUEUE_UNREACHABLE', `the server at ${shown} refuses: ${said}`, { hint, cause });
  }
  const isClosed = said === 'Connection is closed.';
  return new Blip2Error('QUEUE_UNREACHABLE', `no queue at ${shown}: ${said}`, {
    hint: isClosed
      ? 'Something answers there, and closes the connection: a server with TLS wants rediss://.'
      : 'Check that a server runs there; redis-server --appendonly yes starts one.',
    cause,
  });
}

/** @throws Blip2Error `QUEUE_UNSAFE` for a server that throws shards away when its memory is full */
async function refuseEviction(redis: Redis, url: string): Promise<void> {
  const [policy = 'noeviction', limit = '0'] = [
    await setting(redis, 'maxmemory_policy'),
    await setting(redis, 'maxmemory'),
  ];
  if (policy === 'noeviction' || limit === '0') return;
  throw new Blip2Error(
    'QUEUE_UNSAFE',
    `${withoutPassword(url)} throws shards away when its memory is full (${policy})`,
    { hint: 'redis-cli config set maxmemory-policy noeviction' },
  );
}

/** Whether a restart of the server loses a queue: it keeps no append-only file. */
export async function isForgetful(redis: Redis): Promise<boolean> {
  return (await setting(redis, 'aof_enabled')) === '0';
}

/** A line of what the server says about itself; undefined where it does not tell. */
async function setting(redis: Redis, key: string): Promise<string | undefined> {
  const info = await redis.info().catch(() => '');
  return new RegExp(`^${key}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}
