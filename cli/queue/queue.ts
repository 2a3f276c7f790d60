import type { CommandContext } from '../common/main.js';
import { runSubcommand, subcommandsOf } from '../common/subcommands.js';

const SUBCOMMANDS = subcommandsOf({
  add: {
    takes: '<images..>',
    describe: 'split pictures into shards, and queue them',
    load: async () => (await import('./add.js')).add,
  },
  work: { describe: 'caption shards of a queue', load: async () => (await import('./work.js')).work },
  status: { describe: 'how far a run is, by worker', load: async () => (await import('./status.js')).status },
  retry: { describe: 'queue shards again that were set aside', load: async () => (await import('./retry.js')).retry },
  cancel: { describe: 'take all shards of a run out', load: async () => (await import('./cancel.js')).cancel },
  plan: {
    describe: 'machines, hours and limits for so many pictures',
    load: async () => (await import('./plan.js')).plan,
  },
});

/** `blip2-run queue`: many machines caption one run. */
export function queue(context: CommandContext): Promise<number> {
  return runSubcommand(
    {
      name: 'blip2-run queue',
      describe: 'Many machines caption one run.',
      subcommands: SUBCOMMANDS,
      examples: [
        ['$0 add /data/photos -m ./blip2-opt-2.7b --out /data/captions', 'once; the queue is BLIP2_QUEUE or --queue'],
        ['$0 work -m ./blip2-opt-2.7b --out /data/captions', 'on every machine'],
        ['$0 status --out /data/captions', 'how far it is'],
      ],
      epilogue: 'Exit status: 0 done, 1 failed, 2 wrong usage.',
    },
    context,
  );
}
