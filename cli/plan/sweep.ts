import { sweepBudgets, type SweepRange } from '../../src/planner/index.js';
import { command } from '../common/command.js';
import { EXIT, usageError } from '../common/main.js';
import { createParser } from '../common/parser.js';
import { formatOfFile, type PlanFormat } from './format-plan.js';
import { outputFlags, type OutputArgs } from './output-flags.js';
import { writeOutput } from './output.js';
import { readRequest, tellRequest } from './plan-request.js';
import { hideFlags, RARE_FLAGS, REQUEST_LISTS, requestFlags, type RequestArgs } from './request-flags.js';
import { formatSweep, readSweep } from './sweep-table.js';

const parser = hideFlags(
  requestFlags(
    createParser('blip2-plan sweep', '$0 <range> [checkpoint]', 'What each gigabyte of GPU memory buys.')
      .positional('range', { type: 'string', demandOption: true, describe: 'memory per GPU, such as 2G..16G' })
      .positional('checkpoint', {
        type: 'string',
        describe: 'folder, file, address or published model [default: Salesforce/blip2-opt-2.7b]',
      }),
  ),
  ['vram', ...RARE_FLAGS],
)
  .option('format', {
    alias: 'f',
    choices: ['table', 'json'] as const,
    group: 'Output:',
    describe: 'what stdout gets [default: a table]',
  })
  .options(outputFlags('the points as JSON; errors as JSON too', 'no warnings on stderr'))
  .example('$0 2G..16G', 'latency and streamed bytes of opt-2.7b, GiB by GiB')
  .example('$0 2G..16G --gpu 3060 --batch 8', 'with the speeds of that card, for 8 pictures at once')
  .example('blip2-plan --vram 6G --sweep 2G..16G -o plan.html', 'beside the plan for 6 GiB, as a page')
  .epilogue('Takes what blip2-plan plan takes to say how to place as well.');

/** `blip2-plan sweep`: latency against memory per GPU. */
export const sweep = command(parser, REQUEST_LISTS, async (args) => {
  if (args.vram !== undefined) {
    throw usageError(
      'a sweep is over the memory of each GPU, and takes no --vram',
      `Beside a plan it is a flag: blip2-plan --vram ${args.vram.join(' --vram ')} --sweep ${args.range}.`,
    );
  }
  return answerSweep(args, readSweep(args.range));
});

export interface SweepArgs extends RequestArgs, OutputArgs {
  readonly format?: PlanFormat | undefined;
}

/** A sweep that no plan goes with, written where `--output` says. */
export async function answerSweep(args: SweepArgs, range: SweepRange): Promise<number> {
  if (args.batch === 'auto') {
    throw usageError(
      '--batch auto chooses a plan of ours for stated memory',
      'Give a number of pictures, or --vram without --strategy.',
    );
  }
  const ofFile = args.output === undefined ? undefined : formatOfFile(args.output);
  // A .json file holds a map where there is one.
  const format = args.json === true ? 'json' : (args.format ?? (ofFile === 'map' ? 'json' : ofFile));
  // A sweep is over one card where none is named, so that the speeds of this machine's count as they do for a plan.
  const ofOneCard = args.gpu === undefined ? { vram: [`${range.toBytes}B`] } : {};
  const { tensors, options, warnings } = await readRequest({ ...args, ...ofOneCard });
  tellRequest({ warnings, notes: [] }, args.quiet);
  await writeOutput(formatSweep(sweepBudgets(tensors, options, range), format), args.output, args.force === true);
  return EXIT.ok;
}
