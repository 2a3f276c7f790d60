import { availableParallelism } from 'node:os';
import type { Argv } from 'yargs';
import { PROVIDERS } from '../../src/runtime/device/provider.js';
import { HUB_FLAGS } from '../common/hub-flags.js';
import { wholeNumber } from '../common/parser.js';
import { pictureSize } from '../common/picture-size.js';

/** Flags of which model runs, and on what. */
export function modelFlags<T>(parser: Argv<T>) {
  return parser
    .option('model', {
      alias: 'm',
      type: 'string',
      nargs: 1,
      demandOption: true,
      group: 'Model:',
      describe: 'checkpoint: folder, .safetensors or index file, or a model on the hub (owner/name)',
    })
    .options(HUB_FLAGS)
    .option('plan', {
      type: 'string',
      nargs: 1,
      conflicts: ['vram', 'ram', 'disk', 'reserve', 'allow-quant'],
      group: 'Model:',
      describe:
        'plan (JSON, - for stdin), instead of budgets; a bare device map, too, though it cannot say what is quantised or what the CPU runs [default: a CUDA card where there is one, else the CPU]',
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
    .option('picture-size', {
      type: 'string',
      nargs: 1,
      coerce: pictureSize,
      group: 'Model:',
      describe:
        "pixels that pictures are brought to, such as 364 or 364x224 (width x height) [default: the checkpoint's]",
    })
    .option('threads', {
      type: 'string',
      nargs: 1,
      coerce: wholeNumber('threads', 1, {
        max: availableParallelism(),
        why: 'this machine runs no more at once',
      }),
      group: 'Model:',
      describe: 'CPU threads of one operator [default: one per core]',
    });
}
