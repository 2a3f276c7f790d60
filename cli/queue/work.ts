import { hostname } from 'node:os';
import { LockRenewals } from '../../src/bulk/queue/lock-renewals.js';
import { QueueGiver, type QueueEvent } from '../../src/bulk/queue/queue-giver.js';
import { RunQueue } from '../../src/bulk/queue/run-queue.js';
import { workOnQueue } from '../../src/bulk/queue/work-on-queue.js';
import { joinRun } from '../../src/bulk/run/join-run.js';
import { command } from '../common/command.js';
import { batchSize } from '../common/batch-size.js';
import { counted } from '../common/counted.js';
import { EventLog, logFlags } from '../common/event-log.js';
import { graceFlag, gracefulStop } from '../common/graceful-stop.js';
import { EXIT } from '../common/main.js';
import { metricsFlag } from '../common/metrics-flag.js';
import { createParser } from '../common/parser.js';
import { budgetFlags } from '../common/plan-options.js';
import { modelFlags } from '../run/model-flags.js';
import { pictureFlags } from '../run/picture-flags.js';
import { PictureNames, runOutput } from '../run/run-output.js';
import { runSettings } from '../run/run-settings.js';
import { askShardModel, ShardModels } from '../run/shard-models.js';
import { workersFlag } from '../run/bulk-flags.js';
import { outFlag, queueFlags, readQueueUrl } from './queue-flags.js';
import { queuedRun } from './queued-run.js';
import { countFlag, switchFlag, textFlag } from '../common/flags.js';

const DEFAULT_LOCK_SECONDS = 60;

const ofModel = modelFlags(createParser('blip2-run queue work', '$0', 'Captions shards of a queue.'));
const parser = metricsFlag(logFlags(graceFlag(outFlag(queueFlags(pictureFlags(budgetFlags(ofModel)))))))
  .option('batch', { ...textFlag('Model:', 'pictures that run together [default: auto]'), coerce: batchSize })
  .option('workers', { ...workersFlag, group: 'Model:' })
  .option('keep', switchFlag('Queue:', 'wait for more shards once all are done'))
  .option(
    'lock',
    countFlag(
      'lock',
      'Queue:',
      `seconds of silence after which a worker's shards go to others [default: ${DEFAULT_LOCK_SECONDS}]`,
      2,
    ),
  )
  .option('name', textFlag('Queue:', 'what queue status calls this worker [default: host and process]'))
  .example('$0 -m ./blip2-opt-2.7b --out /data/captions --queue redis://head', 'until no shard is left')
  .example('$0 -m ./blip2-opt-2.7b --out s3://b/captions --workers auto --keep', 'a model per card, and waits for more')
  .epilogue(
    'What is asked of the pictures, and the format, come from the folder of --out. Exit status: 0 all shards are done or, with a signal, given back; 4 some pictures failed, or shards were set aside or are in no queue; 1 this machine failed at three shards in a row.',
  );

/** `blip2-run queue work`: a captioner that takes shards until none are left. */
export const work = command(parser, ['vram'], async (args, { signal }) => {
  const url = readQueueUrl(args.queue);
  const log = new EventLog(args.log, args.quiet === true);
  const { id, folder, request, asked } = await queuedRun(args.out);
  await using _folder = folder;
  // Before the model is looked at and pictures are listed: without a queue there is nothing to do.
  await using queue = await RunQueue.open({ url, id });
  const model = await askShardModel({ ...args, ...asked, batch: args.batch }, log, signal);
  const names = new PictureNames();
  const { shardSize } = request;
  const settings = await runSettings({ ...model, request });
  await folder.prepare();
  const list = await joinRun(folder, { settings, shardSize, onPicture: (picture) => names.add(picture) });
  const output = await runOutput(folder, request, names, model.fetching);

  const { stopping, now } = gracefulStop(signal, args.grace);
  const lockMs = 1000 * (args.lock ?? DEFAULT_LOCK_SECONDS);
  const onEvent = (event: QueueEvent) => logEvent(log, event);
  await using renewals = new LockRenewals({
    url,
    id,
    lockMs,
    onTrouble: (reason) => onEvent({ kind: 'trouble', reason }),
  });
  await using giver = await QueueGiver.open({
    url,
    id,
    queue,
    renewals,
    worker: args.name ?? `${hostname()}-${process.pid}`,
    shards: list.shards,
    keep: args.keep === true,
    lockMs,
    stopping,
    onEvent,
  });
  await using models = await ShardModels.open({
    model,
    args,
    log,
    signal: now,
    trouble: () => (renewals.isCutOff ? 'the queue has not answered for as long as a lock lasts' : null),
  });
  models.metrics.gauge('blip2_queue_shards', 'Shards of the run by state.', async () => {
    const counts = await queue.counts();
    return Object.entries(counts).map(([of, count]) => [count, { state: of }]);
  });
  const left = await workOnQueue({
    folder,
    output,
    list,
    settings,
    shardSize,
    giver,
    stopping,
    imageRoot: request.imageRoot,
    ...models.staff,
  });
  const { failed } = await queue.counts();
  // Nobody was at work on them, or this worker had waited.
  const lost = stopping.aborted ? 0 : Math.max(0, left - failed);
  const { captioned, failed: failedPictures } = models.tally;
  const aside = failed === 0 ? '' : `; ${counted(failed, 'shard')} set aside, queue status says why`;
  const inNone = lost === 0 ? '' : `; ${counted(lost, 'shard')} not done and in no queue, queue add puts them there`;
  log.write('info', 'end', `captioned ${counted(captioned, 'picture')}, ${failedPictures} failed${aside}${inNone}`, {
    captioned,
    failed: failedPictures,
    setAside: failed,
    lost,
  });
  return failed === 0 && failedPictures === 0 && lost === 0 ? EXIT.ok : EXIT.someInputsFailed;
});

function logEvent(log: EventLog, event: QueueEvent): void {
  switch (event.kind) {
    case 'taken':
      return log.write('info', 'shard-taken', null, { shard: event.shard });
    case 'done': {
      const { shard, result } = event;
      if (result === null) return log.write('info', 'shard-done', `shard ${shard} was done already`, { shard });
      const { captioned, failed, seconds } = result;
      const text = `shard ${shard}: ${captioned} captioned, ${failed} failed, ${seconds.toFixed(1)} s`;
      return log.write('info', 'shard-done', text, { shard, captioned, failed, seconds });
    }
    case 'returned':
      return log.write('info', 'shard-returned', `shard ${event.shard} is given back`, { shard: event.shard });
    case 'lost':
      return log.write('warning', 'shard-lost', `shard ${event.shard} was given to another worker`, {
        shard: event.shard,
      });
    case 'failed': {
      const { code, message } = event.error;
      return log.write('error', 'shard-failed', `shard ${event.shard}: ${message} [${code}]`, {
        shard: event.shard,
        code,
        reason: message,
      });
    }
    case 'stalled':
      return log.write('warning', 'shard-stalled', `${event.task} comes back from a worker that was lost`, {
        task: event.task,
      });
    case 'refused':
      return log.write('error', 'task-refused', `${event.task} in the queue is no shard of this run`, {
        task: event.task,
      });
    case 'trouble':
      return log.write('warning', 'queue-trouble', `the queue: ${event.reason}`, { reason: event.reason });
  }
}
