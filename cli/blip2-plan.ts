#!/usr/bin/env node
/** `blip2-plan`: where each part of a model lives, under stated budgets. stdout is the device map and nothing else. */
import { existsSync } from 'node:fs';
import { Blip2Error } from '../src/errors.js';
import type { PlanOptions } from '../src/planner/plan/request/plan-options.js';
import { explainMap } from '../src/planner/plan/comparison/explain-map.js';
import type { PlanDocument } from '../src/planner/plan/document/plan-document.js';
import { planDeviceMap } from '../src/planner/plan/plan-device-map.js';
import { planForBatches } from '../src/planner/plan/plan-for-batches.js';
import { largestBatch, sweepBudgets } from '../src/planner/plan/comparison/sweep.js';
import { storedDtype } from '../src/planner/models/stored-dtype.js';
import { transformersStrategy } from '../src/planner/plan/comparison/transformers-strategy.js';
import { doesNotFit } from '../src/planner/report/does-not-fit.js';
import { formatSize } from '../src/size.js';
import { quantizedHalf } from '../src/tensor/quantized.js';
import { textPicture } from '../src/planner/report/text-picture.js';
import { closest } from './common/closest.js';
import { EXIT, main, usageError, type CommandContext } from './common/main.js';
import { createParser, parseArgs } from './common/parser.js';
import { deviceTable, listDevices } from './plan/list-devices.js';
import { formatOfFile, formatPlan, PLAN_FORMATS } from './plan/format-plan.js';
import { keepPage, openInBrowser } from './plan/open-page.js';
import { writeOutput } from './plan/output.js';
import { readRequest, REQUEST_LISTS, requestFlags, type PlanRequest } from './plan/plan-request.js';
import { planSummary } from './plan/summary.js';
import { formatSweep, readSweep, sweepTable } from './plan/sweep.js';

const parser = requestFlags(
  createParser('blip2-plan', '$0 [checkpoint]', 'Plans where each part of a model lives.').positional('checkpoint', {
    type: 'string',
    describe:
      'folder, .safetensors or index file or its address, or a published model [default: Salesforce/blip2-opt-2.7b]',
  }),
)
  .option('strategy', {
    choices: ['auto', 'balanced', 'sequential'] as const,
    default: 'auto' as const,
    group: 'Placement:',
    describe: 'the fastest placement (auto), or what transformers would answer, for comparison',
  })
  .option('sweep', {
    type: 'string',
    nargs: 1,
    group: 'Questions:',
    describe: 'latency against memory per GPU over a range such as 2G..16G; without --vram instead of a plan',
  })
  .option('max-batch', {
    type: 'boolean',
    group: 'Questions:',
    describe: 'the most pictures per call that fit, instead of a plan',
  })
  .option('devices', {
    type: 'boolean',
    group: 'Questions:',
    describe: 'what blip2-run can use on this machine, instead of a plan',
  })
  .option('calibrate', {
    type: 'boolean',
    group: 'Questions:',
    describe: 'measures this machine for later plans (under 20 s), instead of a plan',
  })
  .option('format', {
    alias: 'f',
    choices: PLAN_FORMATS,
    group: 'Output:',
    describe: 'what stdout gets: the device map (default), the whole plan, a table, code or a picture',
  })
  .option('output', {
    alias: 'o',
    type: 'string',
    nargs: 1,
    group: 'Output:',
    describe: 'file to write instead of stdout; the format follows its extension',
  })
  .option('force', { type: 'boolean', group: 'Output:', describe: 'replace the file of --output' })
  .option('json', { type: 'boolean', group: 'Output:', describe: 'same as --format json; errors as JSON too' })
  .option('quiet', { alias: 'q', type: 'boolean', group: 'Output:', describe: 'no summary on stderr' })
  .example('$0 --vram 10G > map.json', 'BLIP-2 opt-2.7b on a 10 GiB card')
  .example('$0 --vram 6G --batch auto --format json > plan.json', 'for many pictures: how many at once')
  .example('$0 --vram 6G --engine transformers -o load.py', 'a map for from_pretrained')
  .example('$0 --vram 4G --sweep 2G..10G -o plan.html', 'the plan as a picture')
  .example('$0 open --gpu 3060', 'the plan as a page in the browser; open alone: the page to choose in')
  .example('$0 explain map.json --vram 6G', 'validate and price a map')
  .example('$0 diff a.json b.json', 'what changes between two plans')
  .example('$0 --gpu 3060', 'on a card that is known by its name')
  .example('$0 ./any-model --vram 12G -o load.py', 'any model that transformers loads: device-map is the same command')
  .example('$0 estimate ./any-model', 'its size by dtype and context, and the cards that hold it')
  .epilogue('Exit status: 0 fits, 2 wrong usage, 3 does not fit, 1 anything else.');

async function blip2Plan({ argv, signal }: CommandContext): Promise<number> {
  const [first, ...rest] = argv;
  if (first === 'explain') return (await import('./plan/explain.js')).explain(rest);
  if (first === 'diff') return (await import('./plan/diff.js')).diff(rest);
  if (first === 'estimate') return (await import('./plan/estimate.js')).estimate(rest);
  const isOpened = first === 'open';
  const meant =
    first === undefined || isOpened || existsSync(first)
      ? undefined
      : closest(first, ['explain', 'diff', 'estimate', 'open']);
  if (meant !== undefined) throw usageError(`there is no subcommand "${first}"`, `Did you mean ${meant}?`);
  if (isOpened && rest.length === 0) return showPage((await import('./plan/report-page.js')).emptyPage());
  const args = await parseArgs(parser, isOpened ? rest : argv, REQUEST_LISTS);
  if (args === null) return EXIT.ok;
  if (args.devices === true) {
    const devices = await listDevices();
    process.stdout.write(`${args.json === true ? JSON.stringify(devices, null, 2) : deviceTable(devices)}\n`);
    return EXIT.ok;
  }
  if (args.calibrate === true) return (await import('./plan/calibrate.js')).calibrate(args.quiet === true, signal);
  const range = args.sweep === undefined ? null : readSweep(args.sweep);
  // With a range, a card is named for its speeds.
  const budgeted = args.vram !== undefined || args.ram !== undefined || (args.gpu !== undefined && range === null);
  if (!budgeted && range === null) {
    throw usageError(
      'say how much memory there is',
      'For example: blip2-plan --vram 10G, or --gpu 3060 for a whole card, or --ram 12G for no GPU.',
    );
  }
  const format = isOpened
    ? 'html'
    : args.json === true
      ? 'json'
      : (args.format ?? (args.output === undefined ? undefined : formatOfFile(args.output)));
  if (format === 'python' && args.names === 'file')
    throw usageError('Python for transformers wants the names of the loaded model', 'Leave --names file out.');
  if (args.batch === 'auto' && (args.strategy !== 'auto' || !budgeted)) {
    throw usageError(
      '--batch auto chooses a plan of ours for stated memory',
      'Give a number of pictures, or --vram without --strategy.',
    );
  }
  const request = await readRequest(args);
  const { tensors, options, batches, warnings, notes } = request;
  const say = (text: string) => {
    if (args.quiet !== true) process.stderr.write(`${text}\n`);
  };
  for (const warning of warnings) say(`warning: ${warning}`);
  if (budgeted) for (const note of notes) say(note);
  if (args['max-batch'] === true) {
    const most = largestBatch(tensors, options);
    if (most === 0 && options.budgets.ramBytes === null && planDeviceMap(tensors, options).status === 'fits') {
      throw usageError(
        'the GPUs do not hold the whole model, and host memory without a limit takes any number of pictures',
        'Say with --ram how much of it there is.',
      );
    }
    process.stdout.write(`${most}\n`);
    return EXIT.ok;
  }
  if (!budgeted && range !== null) {
    const points = sweepBudgets(tensors, options, range);
    // A .json file holds a map where there is one.
    const asked = args.format === undefined && format === 'map' ? 'json' : format;
    await writeOutput(formatSweep(points, asked), args.output, args.force === true);
    return EXIT.ok;
  }
  const ours = () =>
    batches === undefined ? planDeviceMap(tensors, options) : planForBatches(tensors, options, batches);
  const result = args.strategy === 'auto' ? ours() : theirPlan(tensors, options, args.strategy);
  if (result.status === 'infeasible') throw doesNotFit(result);
  const { workload } = result.plan;
  const sweep = range === null ? undefined : sweepBudgets(tensors, { ...options, workload }, range);
  const context = { request, args, ...(sweep === undefined ? {} : { sweep }) };
  const text = await formatPlan(result.plan, format ?? 'map', context);
  if (isOpened && args.output === undefined) return showPage(await keepPage(text));
  await writeOutput(text, args.output, args.force === true);
  if (format !== 'table') say(planSummary(result.plan));
  if ((format ?? 'map') === 'map' && Object.keys(result.plan.quant).some((block) => !storedQuantized(block, tensors))) {
    say('warning: a device map does not say what is quantised; give blip2-run the whole plan (--format json)');
  }
  if (sweep !== undefined) say(sweepTable(sweep));
  if (process.stderr.isTTY)
    say(`\n${textPicture(result.plan, { width: process.stderr.columns > 0 ? process.stderr.columns : 80 })}`);
  return EXIT.ok;
}

/** Opens the page, and says where it is. */
async function showPage(file: string): Promise<number> {
  process.stdout.write(`${file}\n`);
  if (!(await openInBrowser(file))) process.stderr.write('nothing here opens files: open it in a browser by hand\n');
  return EXIT.ok;
}

/** Whether the checkpoint itself holds a block in small integers: then a device map need not say so. */
function storedQuantized(block: string, tensors: PlanRequest['tensors']): boolean {
  return [...tensors.keys()].some((name) => name.startsWith(`${block}.`) && quantizedHalf(name, tensors) !== null);
}

/** The map of transformers as a plan of ours: priced, and with a warning where it exceeds what it was made for. */
function theirPlan(
  tensors: PlanRequest['tensors'],
  options: PlanOptions,
  strategy: 'balanced' | 'sequential',
): { status: 'fits'; plan: PlanDocument } {
  const { config, budgets, models } = options;
  const dtype = options.dtype ?? (models === undefined ? 'float16' : storedDtype(config, tensors));
  const map = transformersStrategy({ tensors, config, budgets, dtype, strategy, models });
  const { plan, overBudget } = explainMap(map, tensors, options);
  if (plan === null) throw new Blip2Error('PLAN_INVALID', `The ${strategy} map leaves a block without a device.`);
  const over = overBudget.map(
    ({ device, bytes }) =>
      `${typeof device === 'number' ? `GPU ${device}` : device} is ${formatSize(bytes)} over its budget.`,
  );
  return { status: 'fits', plan: { ...plan, warnings: [...plan.warnings, ...over] } };
}

void main(blip2Plan);
