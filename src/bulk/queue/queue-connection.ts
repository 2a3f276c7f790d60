import type { Redis } from 'ioredis';
import { Blip2Error } from '../../errors.js';
import type { loadBullmq } from './load-bullmq.js';

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

/**
 * A connection that waits for a server which goes away later, however long.
 * @throws Blip2Error `QUEUE_UNREACHABLE` where there is none now, or it refuses; `QUEUE_UNSAFE`
 */
export async function connectQueue({ Redis }: Awaited<ReturnType<typeof loadBullmq>>, url: string): Promise<Redis> {
  let hasConnected = false;
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    maxRetriesPerRequest: null,
    retryStrategy: (tries) => (hasConnected ? Math.min(100 * tries, LONGEST_WAIT_MS) : null),
  });
  let reason: unknown;
  // Without a listener, an error would end the process.
  redis.on('error', (error) => (reason = error));
  try {
    await redis.connect();
    await redis.ping();
    hasConnected = true;
  } catch (error) {
    redis.disconnect();
    const cause = reason ?? error;
    const said = cause instanceof Error ? cause.message || String(cause) : String(cause);
    throw new Blip2Error('QUEUE_UNREACHABLE', `no queue at ${withoutPassword(url)}: ${said}`, {
      hint: 'Check that a server runs there, and the password; redis-server --appendonly yes starts one.',
      cause,
    });
  }
  await refuseEviction(redis, url).catch((error: unknown) => {
    redis.disconnect();
    throw error;
  });
  return redis;
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
    {
      hint: 'redis-cli config set maxmemory-policy noeviction',
    },
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
