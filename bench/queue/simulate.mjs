/**
 * Workers that answer at once: `node bench/queue/simulate.mjs [workers] [shards] [redis-server]`. All are in four processes, take
 * shards through the same code as `queue work`, and write nothing. Shards a second, and CPU time and memory of the server.
 */
import { fork, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LockRenewals } from '../../dist/src/bulk/queue/lock-renewals.js';
import { QueueGiver } from '../../dist/src/bulk/queue/queue-giver.js';
import { RunQueue } from '../../dist/src/bulk/queue/run-queue.js';
import { Tally } from '../../dist/src/bulk/run/tally.js';

const [workers = '1000', shards = '20000', server = 'redis-server', role, url] = process.argv.slice(2);
const PROCESSES = 4;
const ID = 'abcdef0123456789';
const tally = Object.assign(new Tally(), { captioned: 64 });

if (role === 'workers') {
  const stopping = new AbortController().signal;
  const queue = await RunQueue.open({ url, id: ID });
  const lockMs = 60_000;
  const renewals = new LockRenewals({ url, id: ID, lockMs, onTrouble: () => undefined });
  const givers = await Promise.all(
    Array.from({ length: Number(workers) }, (_, number) =>
      QueueGiver.open({
        url,
        id: ID,
        queue,
        renewals,
        worker: `w${process.pid}-${number}`,
        shards: Number(shards),
        keep: true,
        lockMs,
        stopping,
        onEvent: () => undefined,
      }),
    ),
  );
  process.send({ ready: true });
  await new Promise((resolve) => process.once('message', resolve));
  for (const giver of givers) {
    void (async () => {
      for (;;) {
        const shard = await giver.next();
        await shard.done(tally);
        process.send({ done: 1 });
      }
    })();
  }
} else {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-simulate-'));
  const port = 7900;
  const redis = spawn(server, ['--port', String(port), '--dir', folder, '--appendonly', 'yes', '--save', ''], {
    stdio: 'ignore',
  });
  await setTimeout(1000);
  const address = `redis://127.0.0.1:${port}`;
  try {
    const queue = await RunQueue.open({ url: address, id: ID });
    const addedMs = performance.now();
    await queue.add([...Array(Number(shards)).keys()]);
    const addSeconds = (performance.now() - addedMs) / 1000;
    const each = Math.ceil(Number(workers) / PROCESSES);
    const children = Array.from({ length: Math.min(PROCESSES, Number(workers)) }, () =>
      fork(fileURLToPath(import.meta.url), [String(each), shards, server, 'workers', address]),
    );
    let done = 0;
    let finish;
    const finished = new Promise((resolve) => (finish = resolve));
    await Promise.all(
      children.map(
        (child) =>
          new Promise((resolve) =>
            child.on('message', (message) => {
              if (message.ready) resolve();
              else if (++done === Number(shards)) finish();
            }),
          ),
      ),
    );
    const before = await cpuSeconds(redis.pid);
    const memory = await residentBytes(redis.pid);
    const began = performance.now();
    for (const child of children) child.send('go');
    await finished;
    const seconds = (performance.now() - began) / 1000;
    const cpu = (await cpuSeconds(redis.pid)) - before;
    const result = {
      workers: Number(workers),
      shards: Number(shards),
      addSeconds: +addSeconds.toFixed(2),
      shardsPerSecond: Math.round(Number(shards) / seconds),
      serverCpuMsPerShard: +((1000 * cpu) / Number(shards)).toFixed(3),
      serverCpuShare: +(cpu / seconds).toFixed(2),
      serverMiBBefore: Math.round(memory / 2 ** 20),
      serverMiBAfter: Math.round((await residentBytes(redis.pid)) / 2 ** 20),
    };
    const idleFrom = await cpuSeconds(redis.pid);
    await setTimeout(5000);
    result.serverCpuShareIdle = +(((await cpuSeconds(redis.pid)) - idleFrom) / 5).toFixed(3);
    console.log(JSON.stringify(result));
    for (const child of children) child.kill('SIGKILL');
    await queue[Symbol.asyncDispose]();
  } finally {
    redis.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

async function cpuSeconds(pid) {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function residentBytes(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}
