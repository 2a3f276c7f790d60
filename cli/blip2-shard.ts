#!/usr/bin/env node
/** `blip2-shard`: checks and reshapes safetensors checkpoints. One file per subcommand, loaded when it is asked for. */
import { completionOf } from './common/completion-script.js';
import { main } from './common/main.js';
import { runSubcommand, subcommandsOf } from './common/subcommands.js';

const SUBCOMMANDS = subcommandsOf({
  split: {
    takes: '<checkpoint> <out>',
    describe: 'write shards by size, or one set per device of a plan',
    load: async () => (await import('./shard/split.js')).split,
  },
  merge: {
    takes: '<checkpoint> <out>',
    describe: 'write one file',
    load: async () => (await import('./shard/merge.js')).merge,
  },
  convert: {
    takes: '<checkpoint> <out>',
    describe: 'write another dtype',
    load: async () => (await import('./shard/convert.js')).convert,
  },
  rename: {
    takes: '<checkpoint> <out>',
    describe: 'change prefixes of tensor names',
    load: async () => (await import('./shard/rename.js')).rename,
  },
  filter: {
    takes: '<checkpoint> <out>',
    describe: 'keep some tensors',
    load: async () => (await import('./shard/filter.js')).filter,
  },
  repair: {
    takes: '<checkpoint> <out>',
    describe: 'rewrite what readers refuse for a known reason',
    load: async () => (await import('./shard/repair.js')).repair,
  },
  inspect: {
    takes: '<checkpoint>',
    describe: 'the tree of modules with parameters, dtypes and bytes',
    load: async () => (await import('./shard/inspect.js')).inspect,
  },
  verify: {
    takes: '<checkpoint>',
    describe: 'every rule of the format, every fault',
    load: async () => (await import('./shard/verify.js')).verify,
  },
  diff: {
    takes: '<a> <b>',
    describe: 'what differs between two checkpoints',
    load: async () => (await import('./shard/diff.js')).diff,
  },
  hash: {
    takes: '<checkpoint>',
    describe: 'one hash for any sharding of the same tensors',
    load: async () => (await import('./shard/hash.js')).hash,
  },
  cache: {
    takes: '<task> [ids..]',
    describe: 'converted and quantised weights that runs keep: list, remove',
    load: async () => (await import('./shard/cache.js')).cache,
  },
  completion: completionOf('blip2-shard'),
});

void main((context) =>
  runSubcommand(
    {
      name: 'blip2-shard',
      describe: 'Checks and reshapes safetensors checkpoints.',
      subcommands: SUBCOMMANDS,
      examples: [
        ['$0 split ./blip2-opt-2.7b out --plan map.json', "each device's tensors in shards of its own"],
        ['$0 convert ./blip2-opt-2.7b out --dtype float16', 'half the bytes'],
        ['$0 verify ./blip2-opt-2.7b --deep', 'is it whole?'],
      ],
      epilogue: 'Exit status: 0 done, 1 failed, or differences or faults found, 2 wrong usage.',
    },
    context,
  ),
);
