import { largestBatch, planDeviceMap } from '../../src/planner/index.js';
import { doesNotFit } from '../../src/planner/report/does-not-fit.js';
import { EXIT, usageError, type CommandContext } from '../common/main.js';
import { createParser, parseArgs } from '../common/parser.js';
import { requireBudget } from './cards.js';
import { readRequest, tellRequest } from './plan-request.js';
import { hideFlags, RARE_FLAGS, REQUEST_LISTS, requestFlags, type RequestArgs } from './request-flags.js';
import { switchFlag } from '../common/flags.js';

const parser = hideFlags(
  requestFlags(
    createParser('blip2-plan max-batch', '$0 [checkpoint]', 'The most pictures per call that fit.').positional(
      'checkpoint',
      {
        type: 'string',
        describe: 'folder, file, address or published model [default: Salesforce/blip2-opt-2.7b]',
      },
    ),
  ),
  ['batch', ...RARE_FLAGS],
)
  .option('json', switchFlag('Output:', 'errors as JSON'))
  .option('quiet', { ...switchFlag('Output:', 'no warnings on stderr'), alias: 'q' })
  .example('$0 --vram 6G --ram 16G', 'a number on stdout')
  .example('$0 ./blip2-flan-t5-xl --gpu 4090 --beams 5 --max-new-tokens 30', 'of other workloads')
  .epilogue('Takes what blip2-plan plan takes to say what runs and where as well.');

/** `blip2-plan max-batch`. */
export async function maxBatch({ argv }: CommandContext): Promise<number> {
  const args = await parseArgs(parser, argv, REQUEST_LISTS);
  return args === null ? EXIT.ok : answerMaxBatch(args);
}

export async function answerMaxBatch(args: RequestArgs): Promise<number> {
  requireBudget(args);
  const request = await readRequest(args);
  const { tensors, options } = request;
  tellRequest(request, args.quiet);
  const most = largestBatch(tensors, options);
  const one = most === 0 ? planDeviceMap(tensors, options) : null;
  if (one?.status === 'fits' && options.budgets.ramBytes === null) {
    throw usageError(
      'the GPUs do not hold the whole model, and host memory without a limit takes any number of pictures',
      'Say with --ram how much of it there is.',
    );
  }
  process.stdout.write(`${most}\n`);
  if (one?.status === 'infeasible') throw doesNotFit(one);
  return EXIT.ok;
}
