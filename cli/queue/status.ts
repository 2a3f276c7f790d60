import { Blip2Error } from '../../src/planner/index.js';
import { queueRates, type Rates } from '../../src/bulk/queue/queue-rates.js';
import type { FailedShard } from '../../src/bulk/queue/run-queue.js';
import { openShards } from '../../src/bulk/run/finish-run.js';
import { readRunFile } from '../../src/bulk/run/run-file.js';
import { EXIT, type CommandContext } from '../common/main.js';
import { counted } from '../common/counted.js';
import { duration } from '../common/duration.js';
import { openQueue } from './open-queue.js';

/** Reasons that are shown to people; `--json` has all. */
const SHOWN = 10;

interface Status {
  readonly pictures: number;
  readonly shards: number;
  readonly done: number;
  readonly waiting: number;
  readonly active: number;
  readonly failed: readonly FailedShard[];
  readonly rates: Rates;
  readonly secondsLeft: number | null;
}

/** `blip2-run queue status`: how far a run is. */
export async function status({ argv }: CommandContext): Promise<number> {
  await using opened = await openQueue('blip2-run queue status', 'How far a run is, and who works on it.', argv);
  if (opened === null) return EXIT.ok;
  const { queue, folder } = opened;
  const run = await readRunFile(folder);
  if (run === null) throw new Blip2Error('RUN_MISSING', `${folder.name} holds no run`);
  const [counts, failed, results] = [await queue.counts(), await queue.failed(), await queue.results()];
  // The folder knows best: a queue that was lost or cancelled says nothing of what is done.
  const done = run.shards - (await openShards(folder, run.shards)).length;
  const rates = queueRates(results, Date.now());
  const left = (run.pictures * (run.shards - done)) / run.shards;
  const { pictures, shards } = run;
  const { waiting, active } = counts;
  const secondsLeft = rates.picturesPerSecond === null ? null : left / rates.picturesPerSecond;
  const json: Status = { pictures, shards, done, waiting, active, failed, rates, secondsLeft };
  await opened.answer(json, statusText(json));
  return EXIT.ok;
}

function statusText({ pictures, shards, done, waiting, active, failed, rates, secondsLeft }: Status): string {
  const missing = shards - done - waiting - active - failed.length;
  const rate = rates.picturesPerSecond === null ? '' : `, ${rates.picturesPerSecond.toFixed(2)} pictures a second`;
  const left = secondsLeft === null || done === shards ? '' : `, ${duration(secondsLeft)} left`;
  return [
    `${done} of ${shards} shards of ${pictures} pictures done${rate}${left}`,
    `${waiting} wait, ${active} are being captioned, ${failed.length} were set aside`,
    ...(missing > 0 ? [`${missing} are in no queue: blip2-run queue add puts them there`] : []),
    ...rates.workers.map(
      ({ worker, shards: count, pictures: made, lastSecondsAgo }) =>
        `  ${worker}: ${counted(count, 'shard')}, ${counted(made, 'picture')} lately, the last ${duration(lastSecondsAgo)} ago`,
    ),
    ...failed.slice(0, SHOWN).map(({ task, reason }) => `  ${task} was set aside: ${reason}`),
    ...(failed.length > SHOWN ? [`  and ${failed.length - SHOWN} more; --json names all`] : []),
    ...(failed.length > 0 ? ['blip2-run queue retry queues them again'] : []),
  ].join('\n');
}
