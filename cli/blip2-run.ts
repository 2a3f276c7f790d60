#!/usr/bin/env node
/** `blip2-run`: captions pictures, or answers a question about them, where a device map says. */
import { readFile } from 'node:fs/promises';
import { Blip2Error } from '../src/errors.js';
import { checkpointFingerprint } from '../src/loader/checkpoint/fingerprint.js';
import type { Checkpoint } from '../src/loader/checkpoint/checkpoint.js';
import { openCheckpoint } from '../src/loader/checkpoint/open-checkpoint.js';
import type { DeviceMap } from '../src/planner/map/device-map.js';
import { planDeviceMap } from '../src/planner/plan/plan-device-map.js';
import { readPlan } from '../src/planner/plan/read-plan.js';
import { parseSize } from '../src/planner/size.js';
import { PROVIDERS } from '../src/runtime/provider/provider.js';
import { EXIT, main, usageError, type CommandContext } from './common/main.js';
import { createParser, parseArgs, wholeNumber } from './common/parser.js';
import { budgetFlags, readBudgets } from './common/plan-options.js';
import { infeasibleSummary, planSummary } from './plan/summary.js';
import { captionPictures } from './run/caption-pictures.js';
import { listImages, STDIN_LIST } from './run/list-images.js';

const parser = budgetFlags(
  createParser('blip2-run', '$0 [images..]', 'Captions pictures, or answers a question about them.'),
)
  .positional('images', {
    type: 'string',
    array: true,
    default: [] as string[],
    describe: 'picture files, folders of pictures, or - for a list on stdin',
  })
  .option('model', {
    alias: 'm',
    type: 'string',
    nargs: 1,
    demandOption: true,
    group: 'Model:',
    describe: 'checkpoint: folder, .safetensors or index file',
  })
  .option('plan', {
    type: 'string',
    nargs: 1,
    conflicts: ['vram', 'ram', 'disk', 'reserve'],
    group: 'Model:',
    describe: 'device map or plan (JSON), instead of budgets; without either everything runs on the CPU',
  })
  .option('provider', {
    choices: PROVIDERS,
    default: 'auto' as const,
    group: 'Model:',
    describe: 'what the GPUs of the plan are; without a plan, what everything runs on',
  })
  .option('emulate-gpu', {
    type: 'boolean',
    group: 'Model:',
    describe: 'run every GPU of the plan as a session of its own on the CPU',
  })
  .option('threads', {
    type: 'string',
    nargs: 1,
    coerce: wholeNumber('threads', 1),
    group: 'Model:',
    describe: 'CPU threads of one operator',
  })
  .option('question', {
    type: 'string',
    nargs: 1,
    conflicts: 'prompt',
    group: 'Text:',
    describe: 'asked as "Question: ... Answer:"',
  })
  .option('prompt', { type: 'string', nargs: 1, group: 'Text:', describe: 'text to go on from, as it stands' })
  .option('max-new-tokens', {
    type: 'string',
    nargs: 1,
    coerce: wholeNumber('max-new-tokens', 1),
    group: 'Text:',
    describe: 'most tokens of an answer; tokens are shorter than words [default: 20]',
  })
  .option('min-new-tokens', {
    type: 'string',
    nargs: 1,
    coerce: wholeNumber('min-new-tokens', 0),
    group: 'Text:',
    describe: 'fewest tokens before an answer may end [default: 0]',
  })
  .option('json', { type: 'boolean', group: 'Output:', describe: 'one JSON object per picture; errors as JSON too' })
  .option('quiet', { alias: 'q', type: 'boolean', group: 'Output:', describe: 'errors only on stderr' })
  .option('no-progress', { type: 'boolean', group: 'Output:', describe: 'no live line on stderr' })
  .example('$0 photo.jpg --model models/demo', 'a caption')
  .example(
    '$0 photos/ -m models/demo --vram 8M --emulate-gpu --question "what color is it?"',
    'cut between two devices',
  )
  .epilogue(
    'Exit status: 0 done, 1 unexpected failure, 2 wrong usage, 3 does not fit, 4 some pictures failed, 130 interrupted.',
  );

async function blip2Run({ argv, signal }: CommandContext): Promise<number> {
  const args = await parseArgs(parser, argv.map(nameStdin), ['vram', 'images']);
  if (args === null) return EXIT.ok;
  if (args.images.length === 0) {
    throw usageError('no picture given', 'Name picture files or folders, or - for a list of paths on stdin.');
  }
  const pictures = await listImages(args.images.map(String));
  const checkpoint = await openCheckpoint(args.model);
  const say = (text: string) => args.quiet === true || process.stderr.write(`${text}\n`);
  for (const { message, code } of checkpoint.warnings) say(`warning: ${message} [${code}]`);

  const deviceMap =
    args.plan !== undefined
      ? await givenMap(args.plan, checkpoint)
      : hasBudgets(args)
        ? plannedMap(args, checkpoint, say)
        : undefined;

  // The runtime and its native libraries are loaded only once there is something to run.
  const { createCaptioner } = await import('../src/runtime/captioner.js');
  await using captioner = await createCaptioner(checkpoint, {
    // A command has no event loop to keep free.
    inProcess: true,
    ...(deviceMap === undefined ? {} : { deviceMap }),
    ...(args.provider === 'auto' ? {} : { provider: args.provider }),
    ...(args['emulate-gpu'] === true ? { emulateGpu: true } : {}),
    ...(args.threads === undefined ? {} : { threads: args.threads }),
  });
  return await captionPictures(captioner, pictures, {
    ask:
      args.question !== undefined
        ? { question: args.question }
        : args.prompt !== undefined
          ? { prompt: args.prompt }
          : {},
    generation: {
      ...(args['max-new-tokens'] === undefined ? {} : { maxNewTokens: args['max-new-tokens'] }),
      ...(args['min-new-tokens'] === undefined ? {} : { minNewTokens: args['min-new-tokens'] }),
    },
    signal,
    asJson: args.json === true,
    quiet: args.quiet === true,
    progress: args.quiet !== true && args['no-progress'] !== true,
  });
}

/** yargs drops a lone `-` from positionals that have a name. */
function nameStdin(word: string): string {
  return word === '-' ? STDIN_LIST : word;
}

interface BudgetArgs {
  readonly vram?: string[] | undefined;
  readonly ram?: string | undefined;
  readonly disk?: string | undefined;
  readonly reserve?: string | undefined;
}

function hasBudgets(args: BudgetArgs): boolean {
  return args.vram !== undefined || args.ram !== undefined;
}

function plannedMap(args: BudgetArgs, checkpoint: Checkpoint, say: (text: string) => void): DeviceMap {
  const result = planDeviceMap(checkpoint.tensors, {
    config: checkpoint.config,
    budgets: readBudgets(args),
    ...(args.reserve === undefined ? {} : { reserveBytes: parseSize(args.reserve) }),
  });
  if (result.status === 'infeasible') {
    const { message, hint } = infeasibleSummary(result);
    throw new Blip2Error('DOES_NOT_FIT', message, { hint, details: { ...result } });
  }
  say(planSummary(result.plan));
  return result.map;
}

async function givenMap(path: string, checkpoint: Checkpoint): Promise<DeviceMap> {
  const { map, fingerprint } = readPlan(parseJson(path, await readText(path)));
  if (fingerprint !== null && fingerprint !== checkpointFingerprint(checkpoint)) {
    throw new Blip2Error('PLAN_MISMATCH', `${path} was made for another checkpoint than ${checkpoint.folder}`, {
      hint: `Plan again: blip2-plan ${checkpoint.folder} --vram <size> > ${path}`,
    });
  }
  return map;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw usageError(`the plan ${path} cannot be read: ${reason}`);
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Blip2Error(
      'PLAN_INVALID',
      `${path} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

await main(blip2Run);
