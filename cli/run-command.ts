/**
 * `blip2-run`: captions pictures, or answers a question about them, where a device map says. One file per subcommand, loaded
 * when it is asked for; first words that name one are no pictures: `./queue` is a folder of that name.
 */
import { completionOf } from './common/completion-script.js';
import { main } from './common/main.js';
import { runSubcommand, subcommandsOf } from './common/subcommands.js';

const SUBCOMMANDS = subcommandsOf({
  caption: {
    takes: '[images..]',
    describe: 'captions of pictures, or answers to a question',
    load: async () => (await import('./run/caption.js')).caption,
  },
  queue: {
    takes: '<task>',
    describe: 'many machines caption one run',
    load: async () => (await import('./queue/queue.js')).queue,
  },
  worker: {
    describe: 'caption what other programs describe',
    load: async () => (await import('./worker/worker.js')).worker,
  },
  serve: { describe: "a server that speaks OpenAI's API", load: async () => (await import('./serve/serve.js')).serve },
  completion: completionOf('blip2-run'),
});

void main((context) =>
  runSubcommand(
    {
      name: 'blip2-run',
      describe: 'Captions pictures, or answers a question about them.',
      subcommands: SUBCOMMANDS,
      usual: 'caption',
      examples: [
        ['$0 photo.jpg -m models/demo', 'a caption'],
        ['$0 photo.jpg -m models/demo --question "what color is it?"', 'an answer'],
        ['$0 photos/ -m models/demo --out captions', 'many pictures, in a run that can be stopped'],
      ],
      epilogue:
        'Exit status: 0 done, 1 unexpected failure, 2 wrong usage, 3 does not fit, 4 some pictures failed, 130 interrupted.',
    },
    context,
  ),
);
