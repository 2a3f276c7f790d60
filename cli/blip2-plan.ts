#!/usr/bin/env node
/** `blip2-plan`: where each part of a model lives, under stated budgets. stdout is the device map and nothing else. */
import { planDeviceMap } from '../src/planner/plan/plan-device-map.js';
import { LOAD_DTYPES } from '../src/planner/profile/load-dtype.js';
import { DEFAULT_WORKLOAD } from '../src/planner/profile/workload.js';
import { parseSize } from '../src/planner/size.js';
import { loadModel } from './common/load-model.js';
import { EXIT, main, usageError, type CommandContext } from './common/main.js';
import { createParser, parseArgs, wholeNumber } from './common/parser.js';
import { budgetFlags, readBudgets } from './common/plan-options.js';
import { formatPlan, PLAN_FORMATS } from './plan/format-plan.js';
import { infeasibleSummary, planSummary } from './plan/summary.js';
import { Blip2Error } from '../src/errors.js';

const parser = budgetFlags(createParser('blip2-plan', '$0 [checkpoint]', 'Plans where each part of a model lives.'))
  .positional('checkpoint', {
    type: 'string',
    describe: 'folder, .safetensors or index file, or a published model [default: Salesforce/blip2-opt-2.7b]',
  })
  .option('batch', { ...count('batch'), describe: `pictures per call [default: ${DEFAULT_WORKLOAD.batch}]` })
  .option('beams', { ...count('beams'), describe: `beams per picture [default: ${DEFAULT_WORKLOAD.beams}]` })
  .option('prompt-tokens', {
    ...count('prompt-tokens'),
    describe: `prompt, with the picture's tokens [default: ${DEFAULT_WORKLOAD.promptTokens}]`,
  })
  .option('max-new-tokens', {
    ...count('max-new-tokens'),
    describe: `tokens generated per picture [default: ${DEFAULT_WORKLOAD.newTokens}]`,
  })
  .option('dtype', {
    choices: LOAD_DTYPES,
    default: 'float16' as const,
    group: 'Workload:',
    describe: 'what weights become when loaded',
  })
  .option('engine', {
    choices: ['blip2-run', 'transformers'] as const,
    default: 'blip2-run' as const,
    group: 'Workload:',
    describe: 'who will execute the map',
  })
  .option('format', {
    alias: 'f',
    choices: PLAN_FORMATS,
    default: 'map' as const,
    group: 'Output:',
    describe: 'what stdout gets: the device map, the whole plan, or a table',
  })
  .option('json', { type: 'boolean', group: 'Output:', describe: 'same as --format json; errors as JSON too' })
  .option('quiet', { alias: 'q', type: 'boolean', group: 'Output:', describe: 'no summary on stderr' })
  .example('$0 --vram 10G > map.json', 'BLIP-2 opt-2.7b on a 10 GiB card')
  .example('$0 models/demo --vram 8M --format table', 'the checkpoint that ships with the package')
  .epilogue('Exit status: 0 fits, 2 wrong usage, 3 does not fit, 1 anything else.');

function count(flag: string) {
  return { type: 'string', nargs: 1, group: 'Workload:', coerce: wholeNumber(flag, 1) } as const;
}

async function blip2Plan({ argv }: CommandContext): Promise<number> {
  const args = await parseArgs(parser, argv, ['vram']);
  if (args === null) return EXIT.ok;
  if (args.vram === undefined && args.ram === undefined) {
    throw usageError('say how much memory there is', 'For example: blip2-plan --vram 10G, or --ram 12G for no GPU.');
  }
  const { tensors, config, identity, checkpoint } = await loadModel(args.checkpoint);
  for (const warning of checkpoint?.warnings ?? []) {
    if (args.quiet !== true) process.stderr.write(`warning: ${warning.message} [${warning.code}]\n`);
  }
  const result = planDeviceMap(tensors, {
    config,
    checkpoint: identity,
    budgets: readBudgets(args),
    workload: {
      ...(args.batch === undefined ? {} : { batch: args.batch }),
      ...(args.beams === undefined ? {} : { beams: args.beams }),
      ...(args['prompt-tokens'] === undefined ? {} : { promptTokens: args['prompt-tokens'] }),
      ...(args['max-new-tokens'] === undefined ? {} : { newTokens: args['max-new-tokens'] }),
    },
    dtype: args.dtype,
    engine: args.engine,
    ...(args.reserve === undefined ? {} : { reserveBytes: parseSize(args.reserve) }),
  });
  if (result.status === 'infeasible') {
    const { message, hint } = infeasibleSummary(result);
    throw new Blip2Error('DOES_NOT_FIT', message, { hint, details: { ...result } });
  }
  const format = args.json === true ? 'json' : args.format;
  process.stdout.write(await formatPlan(result.plan, format));
  if (args.quiet !== true && format !== 'table') process.stderr.write(`${planSummary(result.plan)}\n`);
  return EXIT.ok;
}

await main(blip2Plan);
