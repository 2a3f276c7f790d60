import { counted } from '../common/counted.js';
import { EXIT, type CommandContext } from '../common/main.js';
import { openQueue } from './open-queue.js';

/** `blip2-run queue retry`: queues shards again that were set aside, with all their tries. */
export async function retry({ argv }: CommandContext): Promise<number> {
  await using opened = await openQueue('blip2-run queue retry', 'Queues shards again that were set aside.', argv);
  if (opened === null) return EXIT.ok;
  const retried = await opened.queue.retry();
  await opened.answer({ retried }, `${counted(retried, 'shard')} queued again`);
  return EXIT.ok;
}
