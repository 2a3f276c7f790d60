#!/usr/bin/env node
/** `blip2-shard`: checks and reshapes safetensors checkpoints. One file per subcommand, loaded when it is asked for. */
import { main } from './common/main.js';
import { runSubcommand, type Subcommands } from './common/subcommands.js';

const SUBCOMMANDS: Subcommands = new Map([
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

void main((context) =>
  runSubcommand(
    { name: 'blip2-shard', describe: 'Checks and reshapes safetensors checkpoints.', subcommands: SUBCOMMANDS },
    context,
  ),
);
