import { availableParallelism } from 'node:os';
import type { Argv } from 'yargs';
import { PROVIDERS } from '../../src/runtime/device/provider.js';
import { HUB_FLAGS } from '../common/hub-flags.js';
import { wholeNumber } from '../common/parser.js';
import { pictureSize } from '../common/picture-size.js';
import { switchFlag, textFlag } from '../common/flags.js';

/** Flags of which model runs, and on what. */
export function modelFlags<T>(parser: Argv<T>) {
  return parser
    .option('model', {
      ...textFlag('Model:', 'checkpoint: folder, .safetensors or index file, or a model on the hub (owner/name)'),
      alias: 'm',
      demandOption: true,
    })
    .options(HUB_FLAGS)
    .option('plan', {
      ...textFlag(
        'Model:',
        'plan (JSON, - for stdin), instead of budgets; a bare device map, too, though it cannot say what is quantised or what the CPU runs [default: a CUDA card where there is one, else the CPU]',
      ),
      conflicts: ['vram', 'ram', 'disk', 'reserve', 'allow-quant'],
    })
    .option('provider', {
      choices: PROVIDERS,
      default: 'auto' as const,
      group: 'Model:',
      describe: 'what the GPUs of the plan are; without a plan, what everything runs on',
    })
    .option('emulate-gpu', switchFlag('Model:', 'run every GPU of the plan as a session of its own on the CPU'))
    .option('picture-size', {
      ...textFlag(
        'Model:',
        "pixels that pictures are brought to, such as 364 or 364x224 (width x height) [default: the checkpoint's]",
      ),
      coerce: pictureSize,
    })
    .option('threads', {
      ...textFlag('Model:', 'CPU threads of one operator [default: one per core]'),
      coerce: wholeNumber('threads', 1, {
        max: availableParallelism(),
        why: 'this machine runs no more at once',
      }),
    });
}
