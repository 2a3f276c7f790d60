/** The code of `blip2-run --out` and of `queue work`, with a model of one's own. */
import { LockRenewals } from '../../dist/src/bulk/queue/lock-renewals.js';
import { QueueGiver } from '../../dist/src/bulk/queue/queue-giver.js';
import { RunQueue } from '../../dist/src/bulk/queue/run-queue.js';
import { workOnQueue } from '../../dist/src/bulk/queue/work-on-queue.js';
import { JsonlOutput } from '../../dist/src/bulk/outputs/jsonl-output.js';
import { runBulk } from '../../dist/src/bulk/run/bulk-run.js';
import { joinRun } from '../../dist/src/bulk/run/join-run.js';
import { openRun } from '../../dist/src/bulk/run/open-run.js';
import { RunFolder } from '../../dist/src/bulk/run/run-folder.js';
import { Tally } from '../../dist/src/bulk/run/tally.js';

const settings = { prompt: null };
const lockMs = 60_000;
const ahead = 256;
let runs = 0;

async function* named(paths) {
  for (const path of paths) yield { name: path, beneath: path.slice(1) };
}

export async function runAlone({ paths, out, shardSize, openWorker }) {
  await runBulk({
    folder: new RunFolder(out, true),
    output: new JsonlOutput(),
    inputs: named(paths),
    settings,
    shardSize,
    takesOtherInputs: false,
    slice: { index: 0, count: 1 },
    retryFailed: false,
    workers: 1,
    openWorker,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
}

/** Adds a run to a queue. @returns what works on it, from joining the run on, and what closes its connections */
export async function runQueued({ paths, out, shardSize, url }) {
  const id = `${process.pid}${runs++}`.padStart(16, '0');
  const folder = new RunFolder(out, true);
  const output = new JsonlOutput();
  await openRun(folder, output, named(paths), { settings, shardSize, takesOtherInputs: false });
  const stopping = new AbortController().signal;
  const queue = await RunQueue.open({ url, id });
  await queue.add([...Array(Math.ceil(paths.length / shardSize)).keys()]);
  const renewals = new LockRenewals({ url, id, lockMs, onTrouble: console.error });
  await renewals.started;
  const shards = Math.ceil(paths.length / shardSize);
  const giver = await QueueGiver.open({
    url,
    id,
    queue,
    renewals,
    worker: 'w',
    shards,
    keep: false,
    lockMs,
    stopping,
    onEvent: () => undefined,
  });
  const tally = new Tally();
  return {
    work: async ({ openWorker }) => {
      const list = await joinRun(folder, { settings, shardSize, onPicture: () => undefined });
      const signal = stopping;
      const onRecord = (record) => tally.add(record);
      const options = { folder, output, list, shardSize, giver, ahead, stopping, signal, workers: 1, openWorker };
      const left = await workOnQueue({ ...options, imageRoot: undefined, onRecord });
      if (left > 0 || tally.captioned !== paths.length) throw new Error(`${left} shards are left`);
    },
    close: async () => {
      await queue.cancel();
      for (const each of [giver, renewals, queue]) await each[Symbol.asyncDispose]();
    },
  };
}
