#!/usr/bin/env node
/** `blip2-shard`: checks and reshapes safetensors checkpoints. One file per subcommand, loaded when it is asked for. */
import { didYouMean } from './common/closest.js';
import { EXIT, main, usageError, type CommandContext } from './common/main.js';
import { createParser, parseArgs } from './common/parser.js';

type Subcommand = (context: CommandContext) => Promise<number>;

const SUBCOMMANDS: ReadonlyMap<string, { readonly describe: string; readonly load: () => Promise<Subcommand> }> =
  new Map([
    [
      'split',
      {
        describe: 'write shards by size, or one set per device of a plan',
        load: async () => (await import('./shard/split.js')).split,
      },
    ],
    ['merge', { describe: 'write one file', load: async () => (await import('./shard/merge.js')).merge }],
    ['convert', { describe: 'write another dtype', load: async () => (await import('./shard/convert.js')).convert }],
    [
      'rename',
      { describe: 'change prefixes of tensor names', load: async () => (await import('./shard/rename.js')).rename },
    ],
    ['filter', { describe: 'keep some tensors', load: async () => (await import('./shard/filter.js')).filter }],
    [
      'repair',
      {
        describe: 'rewrite what readers refuse for a known reason',
        load: async () => (await import('./shard/repair.js')).repair,
      },
    ],
    [
      'inspect',
      {
        describe: 'the tree of modules with parameters, dtypes and bytes',
        load: async () => (await import('./shard/inspect.js')).inspect,
      },
    ],
    [
      'verify',
      {
        describe: 'every rule of the format, every fault',
        load: async () => (await import('./shard/verify.js')).verify,
      },
    ],
    [
      'diff',
      { describe: 'what differs between two checkpoints', load: async () => (await import('./shard/diff.js')).diff },
    ],
    [
      'hash',
      {
        describe: 'one hash for any sharding of the same tensors',
        load: async () => (await import('./shard/hash.js')).hash,
      },
    ],
    [
      'cache',
      {
        describe: 'converted and quantised weights that runs keep: list, remove',
        load: async () => (await import('./shard/cache.js')).cache,
      },
    ],
  ]);

const list = [...SUBCOMMANDS].map(([name, { describe }]) => `  ${name.padEnd(9)}${describe}`).join('\n');

async function blip2Shard({ argv, signal }: CommandContext): Promise<number> {
  const [name = '', ...rest] = argv;
  const subcommand = SUBCOMMANDS.get(name);
  if (subcommand !== undefined) return (await subcommand.load())({ argv: rest, signal });
  if (name !== '' && !name.startsWith('-')) {
    const names = [...SUBCOMMANDS.keys()];
    throw usageError(
      `there is no subcommand "${name}"`,
      `${didYouMean([name], names)}Subcommands: ${names.join(', ')}.`,
    );
  }
  const parser = createParser('blip2-shard', '$0', 'Checks and reshapes safetensors checkpoints.').epilogue(
    `Subcommands:\n${list}\n\nblip2-shard <subcommand> --help says more.\nExit status: 0 done; 1 failed, differences or faults found; 2 wrong usage.`,
  );
  const args = await parseArgs(parser, argv);
  if (args === null) return EXIT.ok;
  throw usageError('say what to do', `Subcommands: ${[...SUBCOMMANDS.keys()].join(', ')}.`);
}

void main(blip2Shard);
