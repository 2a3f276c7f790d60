import { EXIT, type CommandContext } from '../common/main.js';
import { openQueue } from './open-queue.js';

/** `blip2-run queue cancel`: takes a run's shards out; what is written stays, and adding the run again goes on. */
export async function cancel({ argv }: CommandContext): Promise<number> {
  await using opened = await openQueue('blip2-run queue cancel', 'Takes all shards of a run out of its queue.', argv);
  if (opened === null) return EXIT.ok;
  const { waiting, active } = await opened.queue.counts();
  await opened.queue.cancel();
  await opened.answer(
    { waiting, active },
    `${waiting} shards that waited and ${active} that workers had are taken out; adding the run again goes on with it`,
  );
  return EXIT.ok;
}
