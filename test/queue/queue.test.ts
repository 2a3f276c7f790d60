import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { hashesIn } from '../bulk/bulk-runs.js';
import { command, DEMO, ROOT, script } from '../cli/command.js';
import { findRedis, RedisServer } from './redis-server.js';

const program = await findRedis();
const PASSWORD = 'p4ss-w0rd';
const queueFile = z.object({ id: z.string() });
const statusJson = z.object({
  done: z.int(),
  shards: z.int(),
  waiting: z.int(),
  active: z.int(),
  failed: z.array(z.object({ task: z.string(), reason: z.string() })),
});

describe.skipIf(program === null)('blip2-run queue', () => {
  let scratch: string;
  let server: RedisServer;
  let calm: Record<string, string>;
  let made = 0;
  const fresh = () => join(scratch, `out${made++}`);
  const queue = (name: string, out: string, ...args: string[]) =>
    command('blip2-run', ['queue', name, '--out', out, ...args], { env: { BLIP2_QUEUE: server.url } });
  const add = (out: string) => queue('add', out, `${DEMO}/pictures`, '--model', DEMO, '--shard-size', '2');
  const work = (out: string, ...args: string[]) => queue('work', out, '--model', DEMO, ...args);
  const status = async (out: string) => statusJson.parse(JSON.parse((await queue('status', out, '--json')).stdout));
  const idOf = async (out: string) =>
    queueFile.parse(JSON.parse(await readFile(join(out, '.blip2-run/queue.json'), 'utf8'))).id;
  /** Files of a folder but the queue's own. */
  const filesOf = async (out: string) => {
    const { ['.blip2-run/queue.json']: _, ...others } = await hashesIn(out);
    return others;
  };

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'blip2-queue-test-'));
    server = await RedisServer.start(program ?? '', { port: 17_000 + (process.pid % 2000), password: PASSWORD });
    const out = fresh();
    await command('blip2-run', [`${DEMO}/pictures`, '--model', DEMO, '--shard-size', '2', '--out', out]);
    calm = await hashesIn(out);
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  it('writes what blip2-run --out alone writes, and adds nothing twice', async () => {
    const out = fresh();
    expect((await add(out)).stderr).toContain('16 pictures in 8 shards: 8 added');
    expect((await add(out)).stderr).toContain('0 added, 0 done, 8 there already');
    expect(await status(out)).toMatchObject({ done: 0, shards: 8, waiting: 8 });
    const both = await Promise.all([work(out, '--threads', '1'), work(out, '--threads', '1')]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(await filesOf(out)).toEqual(calm);
    expect(await status(out)).toMatchObject({ done: 8, waiting: 0, active: 0, failed: [] });
    // A result whose file has gone is made again.
    await rm(join(out, '00003.jsonl'));
    expect((await add(out)).stderr).toContain('1 added, 7 done');
    await work(out);
    expect(await filesOf(out)).toEqual(calm);
  });

  it('gives the shards of a killed worker to another one', async () => {
    const out = fresh();
    await add(out);
    const killed = spawn(
      process.execPath,
      [script('blip2-run'), 'queue', 'work', '--out', out, '-m', DEMO, '--lock', '2', '--log', 'json'],
      { cwd: ROOT, env: { ...process.env, BLIP2_QUEUE: server.url, BLIP2_PROFILE: 'none' }, detached: true },
    );
    await new Promise<void>((resolve) => {
      killed.stderr.on('data', (text: Buffer) => text.includes('"shard-taken"') && resolve());
    });
    process.kill(-(killed.pid ?? 0), 'SIGKILL');
    expect(await work(out, '--lock', '2')).toMatchObject({ code: 0 });
    expect(await filesOf(out)).toEqual(calm);
  });

  it('gives back what is in hand on SIGTERM, and leaves the rest', async () => {
    const out = fresh();
    await add(out);
    const child = spawn(
      process.execPath,
      [script('blip2-run'), 'queue', 'work', '--out', out, '-m', DEMO, '--keep', '--grace', '0', '--log', 'json'],
      { cwd: ROOT, env: { ...process.env, BLIP2_QUEUE: server.url, BLIP2_PROFILE: 'none' } },
    );
    await new Promise<void>((resolve) => {
      child.stderr.on('data', (text: Buffer) => text.includes('"shard-taken"') && resolve());
    });
    child.kill('SIGTERM');
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(143);
    const after = await status(out);
    expect(after.active).toBe(0);
    expect(after.done + after.waiting).toBe(8);
    await work(out);
    expect(await filesOf(out)).toEqual(calm);
  });

  it('does not take a queue that was lost for one that is done', async () => {
    const out = fresh();
    await add(out);
    expect((await queue('cancel', out)).code).toBe(0);
    const ended = await work(out);
    expect([ended.code, ended.stderr]).toEqual([4, expect.stringContaining('8 shards not done and in no queue')]);
    expect((await add(out)).stderr).toContain('8 added');
    expect((await work(out)).code).toBe(0);
    expect((await work(out)).code).toBe(0);
    expect(await filesOf(out)).toEqual(calm);
  });

  it('sets aside what is no shard of the run, and captions the others', async () => {
    const out = fresh();
    await add(out);
    const id = await idOf(out);
    const redis = new Redis(server.url, { maxRetriesPerRequest: null });
    const foreign = new Queue(id, { connection: redis, prefix: 'blip2' });
    const data = [
      { version: 1, run: id, shard: 8 },
      { version: 1, run: id, shard: -1 },
      { version: 1, run: '0123456789abcdef', shard: 0 },
      { version: 1, run: id, shard: 0, out: '/etc/passwd' },
      '../../etc/passwd',
    ];
    for (const each of data) await foreign.add('shard', each);
    expect(await work(out)).toMatchObject({ code: 4 });
    expect(await filesOf(out)).toEqual(calm);
    const { failed } = await status(out);
    expect(failed.map(({ reason }) => reason)).toEqual(data.map(() => 'this is no shard of the run'));
    await foreign.close();
    redis.disconnect();
    expect((await queue('retry', out)).stdout).toBe('5 shards queued again\n');
    expect((await queue('cancel', out)).stdout).toContain('5 shards that waited');
    expect((await status(out)).failed).toEqual([]);
  });

  it('says what a server does not let it do, before any work, and what helps', async () => {
    const out = fresh();
    await add(out);
    const { host } = new URL(server.url);
    await using redis = Object.assign(new Redis(server.url), {
      [Symbol.asyncDispose]: async () => void (await redis.quit()),
    });
    await redis.call('ACL', 'SETUSER', 'scriptless', 'on', '>p', '~*', '+@all', '-@scripting');
    await redis.call('ACL', 'SETUSER', 'elsewhere', 'on', '>p', '~other:*', '+@all');
    await redis.call('ACL', 'SETUSER', 'enough', 'on', '>p', '~blip2:*', '+@all');
    const refusals = [
      [`redis://${host}`, 'NOAUTH', 'Write the password into the address'],
      [`redis://:wrong@${host}`, 'WRONGPASS', 'Write the password into the address'],
      [`redis://scriptless:p@${host}`, 'NOPERM', 'ACL SETUSER USER +@all ~blip2:*'],
      [`redis://elsewhere:p@${host}`, 'NOPERM', 'ACL SETUSER USER +@all ~blip2:*'],
      [`${server.url}/99`, 'DB index is out of range', 'databases 0 to 15'],
    ] as const;
    for (const [url, reason, hint] of refusals) {
      const { code, stderr } = await work(out, '--queue', url);
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/^error: the server at .* refuses: .*\[QUEUE_UNREACHABLE\]/),
      ]);
      expect(stderr).toContain(reason);
      expect(stderr).toContain(hint);
    }
    expect((await work(out, '--queue', `redis://enough:p@${host}`)).code).toBe(0);
  });

  it('refuses a wrong password, no server, and another model, without saying the password', async () => {
    const out = fresh();
    await add(out);
    const port = new URL(server.url).port;
    for (const url of [
      `redis://:wrong-one@127.0.0.1:${port}`,
      'redis://:wrong-one@127.0.0.1:1',
      'http://:wrong-one@x',
    ]) {
      const refused = await queue('status', out, '--queue', url);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(/\[QUEUE_(UNREACHABLE|INVALID)\]/);
      expect(refused.stderr).not.toContain('wrong-one');
    }
    // What cannot be queued leaves nothing behind.
    const unwritten = fresh();
    const added = await queue('add', unwritten, `${DEMO}/pictures`, '--model', DEMO, '--queue', 'redis://127.0.0.1:1');
    expect(added.stderr).toContain('[QUEUE_UNREACHABLE]');
    await expect(stat(unwritten)).rejects.toMatchObject({ code: 'ENOENT' });
    const other = await queue('work', fresh(), '--model', DEMO);
    expect(other.stderr).toContain('[RUN_MISSING]');
    await writeFile(join(out, '.blip2-run/queue.json'), '{"version": 1, "id": "../x", "flags": []}');
    expect((await work(out)).stderr).toContain('[RUN_INVALID]');
  });
});
