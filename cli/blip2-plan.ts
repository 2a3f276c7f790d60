#!/usr/bin/env node
/** `blip2-plan`: where each part of a model lives, under stated budgets. One file per subcommand, loaded when it is asked for. */
import { completionOf } from './common/completion-script.js';
import { main } from './common/main.js';
import { runSubcommand, subcommandsOf } from './common/subcommands.js';

const SUBCOMMANDS = subcommandsOf({
  plan: {
    takes: '[checkpoint]',
    describe: 'the fastest placement within budgets, as a device map',
    load: async () => (await import('./plan/plan.js')).plan,
  },
  explain: {
    takes: '<map> [checkpoint]',
    describe: 'validate and price a device map',
    load: async () => (await import('./plan/explain.js')).explain,
  },
  diff: {
    takes: '<before> <after>',
    describe: 'what changes from one plan to another',
    load: async () => (await import('./plan/diff.js')).diff,
  },
  sweep: {
    takes: '<range> [checkpoint]',
    describe: 'latency against memory per GPU',
    load: async () => (await import('./plan/sweep.js')).sweep,
  },
  'max-batch': {
    takes: '[checkpoint]',
    describe: 'the most pictures per call that fit',
    load: async () => (await import('./plan/max-batch.js')).maxBatch,
  },
  estimate: {
    takes: '<checkpoint>',
    describe: 'sizes by dtype and context, and the cards that hold them',
    load: async () => (await import('./plan/estimate.js')).estimate,
  },
  open: {
    takes: '[checkpoint]',
    describe: 'the planner as a page in the browser',
    load: async () => (await import('./plan/open.js')).open,
  },
  devices: {
    describe: 'what blip2-run can use on this machine',
    load: async () => (await import('./plan/devices.js')).devices,
  },
  calibrate: {
    describe: 'measure this machine for later plans',
    load: async () => (await import('./plan/calibrate.js')).calibrate,
  },
  completion: completionOf('blip2-plan', 'device-map'),
});

void main((context) =>
  runSubcommand(
    {
      name: 'blip2-plan',
      describe: 'Plans where each part of a model lives.',
      subcommands: SUBCOMMANDS,
      usual: 'plan',
      examples: [
        ['$0 --vram 10G > map.json', 'opt-2.7b on a 10 GiB card'],
        ['$0 ./any-model --vram 12G -o load.py', 'any model that transformers loads; device-map is the same command'],
        ['$0 explain map.json --vram 6G', 'what a map means'],
      ],
      epilogue: 'Exit status: 0 fits, 2 wrong usage, 3 does not fit, 1 anything else.',
    },
    context,
  ),
);
