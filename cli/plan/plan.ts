import type { Argv } from 'yargs';
import { KNOWN_GPUS, textPicture } from '../../src/planner/index.js';
import { quantizedHalf } from '../../src/tensor/quantized.js';
import { command } from '../common/command.js';
import { columnsOf } from '../common/columns.js';
import { EXIT } from '../common/main.js';
import { createParser } from '../common/parser.js';
import { sayer } from '../common/say.js';
import { formatOfFile, PLAN_FORMATS, type PlanFormat } from './format-plan.js';
import { makePlan, STRATEGIES, type MadePlan } from './make-plan.js';
import { outputFlags } from './output-flags.js';
import { writeOutput } from './output.js';
import { pageLockNote } from './page-lock-note.js';
import type { PlanRequest } from './plan-request.js';
import { REQUEST_LISTS, requestFlags } from './request-flags.js';
import { planSummary } from './summary.js';
import { readSweep, sweepTable } from './sweep-table.js';
import { textFlag } from '../common/flags.js';

/** The flags of a plan, in whatever form it is shown. */
export function planFlags<T>(parser: Argv<T>) {
  return requestFlags(
    parser.positional('checkpoint', {
      type: 'string',
      describe:
        'folder, .safetensors or index file or its address, or a published model [default: Salesforce/blip2-opt-2.7b]',
    }),
  )
    .option('strategy', {
      choices: STRATEGIES,
      default: 'auto' as const,
      group: 'Placement:',
      describe: 'the fastest placement (auto), or what transformers would answer, for comparison',
    })
    .option('format', {
      alias: 'f',
      choices: PLAN_FORMATS,
      group: 'Output:',
      describe: 'what stdout gets: the device map (default), the whole plan, a table, code or a picture',
    })
    .options(outputFlags('same as --format json; errors as JSON too', 'no summary on stderr'))
    .option(
      'sweep',
      textFlag('Output:', 'beside the plan: latency against memory per GPU over a range such as 2G..16G'),
    );
}

const parser = planFlags(createParser('blip2-plan plan', '$0 [checkpoint]', 'Plans where each part of a model lives.'))
  // As they were spelled before they were subcommands.
  .option('max-batch', { type: 'boolean', hidden: true })
  .option('devices', { type: 'boolean', hidden: true })
  .option('calibrate', { type: 'boolean', hidden: true })
  .example('blip2-plan --vram 10G > map.json', 'BLIP-2 opt-2.7b on a 10 GiB card')
  .example('blip2-plan ./any-model --vram 12G -o load.py', 'Python for any model that transformers loads')
  .example('blip2-plan --gpu 3060 --batch auto --json > plan.json', 'how many pictures at once')
  .epilogue(
    `Known cards: ${[...KNOWN_GPUS.keys()].join(', ')}.\nExit status: 0 fits, 2 wrong usage, 3 does not fit, 1 anything else.`,
  );

/** `blip2-plan plan`, which is also what a line means that names no subcommand. */
export const plan = command(parser, REQUEST_LISTS, async (args, context) => {
  if (args.devices === true) return (await import('./devices.js')).answerDevices(args.json === true);
  // Only there: where the signal is asked for, the first Ctrl-C ends no search.
  if (args.calibrate === true)
    return (await import('./calibrate.js')).answerCalibration(args.quiet === true, context.signal);
  if (args['max-batch'] === true) return (await import('./max-batch.js')).answerMaxBatch(args);
  const range = args.sweep === undefined ? null : readSweep(args.sweep);
  // With a range, a card is named for its speeds.
  if (range !== null && args.vram === undefined && args.ram === undefined) {
    return (await import('./sweep.js')).answerSweep(args, range);
  }
  const ofFile = args.output === undefined ? 'map' : formatOfFile(args.output);
  const format = args.json === true ? 'json' : (args.format ?? ofFile);
  const made = await makePlan(args, format, range);
  await writeOutput(made.text, args.output, args.force === true);
  tellPlan(made, format, args.quiet);
  return EXIT.ok;
});

/** The story of a plan on stderr. */
export function tellPlan(
  { plan: made, request, sweep }: MadePlan,
  format: PlanFormat,
  quiet: boolean | undefined,
): void {
  const say = sayer(quiet);
  if (format !== 'table') say(planSummary(made));
  const note = quiet === true ? null : pageLockNote(made, request);
  if (note !== null) say(note);
  if (format === 'map' && Object.keys(made.quant).some((block) => !storedQuantized(block, request.tensors))) {
    say('warning: a device map does not say what is quantised; give blip2-run the whole plan (--format json)');
  }
  if (sweep !== null) say(sweepTable(sweep));
  if (process.stderr.isTTY) say(`\n${textPicture(made, { width: columnsOf(process.stderr) })}`);
}

/** Whether the checkpoint itself holds a block in small integers: then a device map need not say so. */
function storedQuantized(block: string, tensors: PlanRequest['tensors']): boolean {
  return [...tensors.keys()].some((name) => name.startsWith(`${block}.`) && quantizedHalf(name, tensors) !== null);
}
