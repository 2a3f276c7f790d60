/** What to plan: the flags that `blip2-plan plan`, `explain`, `sweep`, `max-batch` and `open` share. */
import type { Argv } from 'yargs';
import { DEFAULT_WORKLOAD, LOAD_DTYPES, OBJECTIVES } from '../../src/planner/index.js';
import { ENGINES } from '../../src/planner/map/engine.js';
import { GPU_PROVIDERS } from '../../src/planner/plan/request/plan-options.js';
import { batchSize } from '../common/batch-size.js';
import { HUB_FLAGS } from '../common/hub-flags.js';
import { pictureSize } from '../common/picture-size.js';
import { seconds } from '../common/seconds.js';
import { BUDGET_FLAGS } from '../common/plan-options.js';
import { type ArgsOf, countFlag, listFlag, switchFlag, textFlag } from '../common/flags.js';

/** Flags that may be given several times. */
export const REQUEST_LISTS: readonly string[] = ['vram', 'gpu', 'dtype', 'pin'];

const FLAGS = {
  ...BUDGET_FLAGS,
  'count-context': switchFlag('Budget:', 'count what the driver takes for a process, as nvidia-smi does'),
  'cut-layers': switchFlag(
    'Budget:',
    "for transformers, on one GPU: stream the widest modules of layers alone where that is faster; BLIP-2's are in any case",
  ),
  'page-lock': switchFlag(
    'Budget:',
    'for transformers: what streams from host memory is page-locked (pinned) there, as the Python of -f python has it, and several times faster',
  ),
  batch: {
    ...textFlag(
      'Workload:',
      `pictures per call; auto: as many as make for the most of them per second [default: ${DEFAULT_WORKLOAD.batch}]`,
    ),
    coerce: batchSize,
  },
  beams: countFlag('beams', 'Workload:', `beams per picture [default: ${DEFAULT_WORKLOAD.beams}]`),
  'prompt-tokens': countFlag(
    'prompt-tokens',
    'Workload:',
    `prompt, with the picture's tokens [default: those of a caption]`,
  ),
  'max-new-tokens': countFlag(
    'max-new-tokens',
    'Workload:',
    `tokens generated per picture [default: ${DEFAULT_WORKLOAD.newTokens}]`,
  ),
  'picture-size': {
    ...textFlag(
      'Workload:',
      "pixels of a picture, such as 364 or 364x224 (width x height) [default: the checkpoint's]",
    ),
    coerce: pictureSize,
  },
  dtype: listFlag(
    'Workload:',
    `what weights become: ${LOAD_DTYPES.join(', ')}, or module=dtype [default: float16; of models that are not BLIP-2, their own]`,
  ),
  engine: {
    choices: ENGINES,
    group: 'Workload:',
    describe:
      'who will execute the map; of models that are not BLIP-2, blip2-run is any loader that can place experts by themselves [default: blip2-run; transformers for models that are not BLIP-2]',
  },
  gpu: listFlag(
    'Machine:',
    'a known card such as 3060 or H200, for its speeds, and for its memory where --vram is not given; repeatable in the order of --vram',
  ),
  profile: textFlag(
    'Machine:',
    'speeds from a machine profile (JSON), or none for estimates [default: what calibrate measured here]',
  ),
  provider: {
    choices: GPU_PROVIDERS,
    default: 'cuda' as const,
    group: 'Machine:',
    describe: 'what blip2-run will reach the GPUs through: memory and speed differ',
  },
  objective: {
    choices: OBJECTIVES,
    default: 'latency' as const,
    group: 'Placement:',
    describe: 'the fastest call, the most calls in a pipeline of devices, or the fewest GPUs',
  },
  'time-limit': {
    ...textFlag(
      'Placement:',
      'seconds to search at most, then the best placement so far, with its gap [default: a fixed effort: a tenth of a second for one GPU, up to four seconds for two, mostly up to six for more]',
    ),
    coerce: seconds('time-limit'),
  },
  pin: listFlag('Placement:', 'module=device: what has to lie where (0, cpu, disk)'),
  names: {
    choices: ['loaded', 'file'] as const,
    group: 'Output:',
    describe: "whose module names the map has: the loaded model's, or the file's for other loaders [default: loaded]",
  },
  ...HUB_FLAGS,
} as const;

export const requestFlags = <T>(parser: Argv<T>) => parser.options(FLAGS);

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

export interface RequestArgs extends ArgsOf<typeof FLAGS> {
  readonly checkpoint?: string | undefined;
  readonly quiet?: boolean | undefined;
}
