/** What to plan: the flags that `blip2-plan plan`, `explain`, `sweep`, `max-batch` and `open` share. */
import type { Argv } from 'yargs';
import { DEFAULT_WORKLOAD, type Engine, LOAD_DTYPES, type Objective, OBJECTIVES } from '../../src/planner/index.js';
import type { PictureSize } from '../../src/runtime/index.js';
import { ENGINES } from '../../src/planner/map/engine.js';
import { GPU_PROVIDERS, type GpuProvider } from '../../src/planner/plan/request/plan-options.js';
import { batchSize } from '../common/batch-size.js';
import { HUB_FLAGS, type HubArgs } from '../common/hub-flags.js';
import { wholeNumber } from '../common/parser.js';
import { pictureSize } from '../common/picture-size.js';
import { seconds } from '../common/seconds.js';
import { budgetFlags, type BudgetArgs } from '../common/plan-options.js';

/** Flags that may be given several times. */
export const REQUEST_LISTS: readonly string[] = ['vram', 'gpu', 'dtype', 'pin'];

export function requestFlags<T>(parser: Argv<T>) {
  return budgetFlags(parser)
    .option('count-context', {
      type: 'boolean',
      group: 'Budget:',
      describe: 'count what the driver takes for a process, as nvidia-smi does',
    })
    .option('cut-layers', {
      type: 'boolean',
      group: 'Budget:',
      describe:
        "for transformers, on one GPU: stream the widest modules of layers alone where that is faster; BLIP-2's are in any case",
    })
    .option('page-lock', {
      type: 'boolean',
      group: 'Budget:',
      describe:
        'for transformers: what streams from host memory is page-locked (pinned) there, as the Python of -f python has it, and several times faster',
    })
    .option('batch', {
      ...count('batch'),
      coerce: batchSize,
      describe: `pictures per call; auto: as many as make for the most of them per second [default: ${DEFAULT_WORKLOAD.batch}]`,
    })
    .option('beams', { ...count('beams'), describe: `beams per picture [default: ${DEFAULT_WORKLOAD.beams}]` })
    .option('prompt-tokens', {
      ...count('prompt-tokens'),
      describe: `prompt, with the picture's tokens [default: those of a caption]`,
    })
    .option('max-new-tokens', {
      ...count('max-new-tokens'),
      describe: `tokens generated per picture [default: ${DEFAULT_WORKLOAD.newTokens}]`,
    })
    .option('picture-size', {
      type: 'string',
      nargs: 1,
      group: 'Workload:',
      coerce: pictureSize,
      describe: "pixels of a picture, such as 364 or 364x224 (width x height) [default: the checkpoint's]",
    })
    .option('dtype', {
      type: 'string',
      array: true,
      nargs: 1,
      group: 'Workload:',
      describe: `what weights become: ${LOAD_DTYPES.join(', ')}, or module=dtype [default: float16; of models that are not BLIP-2, their own]`,
    })
    .option('engine', {
      choices: ENGINES,
      group: 'Workload:',
      describe:
        'who will execute the map; of models that are not BLIP-2, blip2-run is any loader that can place experts by themselves [default: blip2-run; transformers for models that are not BLIP-2]',
    })
    .option('gpu', {
      type: 'string',
      array: true,
      nargs: 1,
      group: 'Machine:',
      describe:
        'a known card such as 3060 or H200, for its speeds, and for its memory where --vram is not given; repeatable in the order of --vram',
    })
    .option('profile', {
      type: 'string',
      nargs: 1,
      group: 'Machine:',
      describe: 'speeds from a machine profile (JSON), or none for estimates [default: what calibrate measured here]',
    })
    .option('provider', {
      choices: GPU_PROVIDERS,
      default: 'cuda' as const,
      group: 'Machine:',
      describe: 'what blip2-run will reach the GPUs through: memory and speed differ',
    })
    .option('objective', {
      choices: OBJECTIVES,
      default: 'latency' as const,
      group: 'Placement:',
      describe: 'the fastest call, the most calls in a pipeline of devices, or the fewest GPUs',
    })
    .option('time-limit', {
      type: 'string',
      nargs: 1,
      group: 'Placement:',
      coerce: seconds('time-limit'),
      describe:
        'seconds to search at most, then the best placement so far, with its gap [default: a fixed effort: a tenth of a second for one GPU, up to four seconds for two, mostly up to six for more]',
    })
    .option('pin', {
      type: 'string',
      array: true,
      nargs: 1,
      group: 'Placement:',
      describe: 'module=device: what has to lie where (0, cpu, disk)',
    })
    .option('names', {
      choices: ['loaded', 'file'] as const,
      group: 'Output:',
      describe: "whose module names the map has: the loaded model's, or the file's for other loaders [default: loaded]",
    })
    .options(HUB_FLAGS);
}

/** Flags that few need, for subcommands that name plan's in their help. */
export const RARE_FLAGS = [
  ...([
    'reserve',
    'count-context',
    'cut-layers',
    'page-lock',
    'prompt-tokens',
    'picture-size',
    'profile',
    'provider',
  ] as const),
  ...(['objective', 'time-limit', 'pin', 'names', 'hub-timeout'] as const),
] as const;

/** Takes flags that do little for a subcommand out of its help; a line may have them all the same. */
export function hideFlags<T>(parser: Argv<T>, names: readonly (keyof T & string)[]): Argv<T> {
  return names.reduce((hidden, name) => hidden.hide(name), parser);
}

function count(flag: string) {
  return { type: 'string', nargs: 1, group: 'Workload:', coerce: wholeNumber(flag, 1) } as const;
}

export interface RequestArgs extends BudgetArgs, HubArgs {
  readonly checkpoint?: string | undefined;
  readonly reserve?: string | undefined;
  readonly 'allow-quant'?: string | undefined;
  readonly 'count-context'?: boolean | undefined;
  readonly 'cut-layers'?: boolean | undefined;
  readonly 'page-lock'?: boolean | undefined;
  readonly provider: GpuProvider;
  readonly gpu?: readonly string[] | undefined;
  readonly profile?: string | undefined;
  readonly batch?: number | 'auto' | undefined;
  readonly beams?: number | undefined;
  readonly 'prompt-tokens'?: number | undefined;
  readonly 'max-new-tokens'?: number | undefined;
  readonly 'picture-size'?: PictureSize | undefined;
  readonly dtype?: readonly string[] | undefined;
  readonly engine?: Engine | undefined;
  readonly names?: 'loaded' | 'file' | undefined;
  readonly objective: Objective;
  readonly 'time-limit'?: number | undefined;
  readonly pin?: readonly string[] | undefined;
}
