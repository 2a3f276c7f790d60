/** What to plan: the flags that `blip2-plan` and its `explain` share, and what they ask of the library. */
import type { Argv } from 'yargs';
import { parseDeviceMap } from '../../src/planner/map/parse-device-map.js';
import type { Device, DeviceMap } from '../../src/planner/map/device-map.js';
import { KNOWN_GPUS } from '../../src/planner/price/known-devices.js';
import type { PictureSize } from '../../src/model/picture-size.js';
import {
  GPU_PROVIDERS,
  type GpuProvider,
  type PlanOptions,
  OBJECTIVES,
  type Objective,
} from '../../src/planner/plan/request/plan-options.js';
import { needsIntegerSolver } from '../../src/planner/plan/request/needs-integer-solver.js';
import type { Budgets } from '../../src/planner/plan/request/budgets.js';
import { LOAD_DTYPES, type LoadDtype } from '../../src/tensor/load-dtype.js';
import { DEFAULT_WORKLOAD } from '../../src/planner/profile/workload.js';
import { parseSize } from '../../src/size.js';
import type { TensorInfo } from '../../src/tensor/tensor-info.js';
import { parseDtypeName } from '../common/dtype.js';
import { knownModels } from './known-models.js';
import { isBlip2 } from '../../src/model/blip2-config.js';
import { loadModel } from '../common/load-model.js';
import { usageError } from '../common/main.js';
import { batchSize } from '../common/batch-size.js';
import { batchesOf } from './request-batches.js';
import { wholeNumber } from '../common/parser.js';
import { pictureSize } from '../common/picture-size.js';
import { budgetFlags, readAllowQuant, type BudgetArgs } from '../common/plan-options.js';
import { HUB_FLAGS, type HubArgs } from '../common/hub-flags.js';
import { budgetsOf, readCards } from './cards.js';
import { readMachine } from './read-machine.js';

/** Flags that may be given several times. */
export const REQUEST_LISTS: readonly string[] = ['vram', 'gpu', 'dtype', 'pin'];

export function requestFlags<T>(parser: Argv<T>) {
  return budgetFlags(parser)
    .options(HUB_FLAGS)
    .option('count-context', {
      type: 'boolean',
      group: 'Budget:',
      describe: 'count what the driver takes for a process, as nvidia-smi does',
    })
    .option('provider', {
      choices: GPU_PROVIDERS,
      default: 'cuda' as const,
      group: 'Machine:',
      describe: 'what blip2-run will reach the GPUs through: memory and speed differ',
    })
    .option('gpu', {
      type: 'string',
      array: true,
      nargs: 1,
      group: 'Machine:',
      describe: `a known card, for its speeds, and for its memory where --vram is not given; repeatable in the order of --vram: ${[...KNOWN_GPUS.keys()].join(', ')}`,
    })
    .option('profile', {
      type: 'string',
      nargs: 1,
      group: 'Machine:',
      describe: 'speeds from a machine profile (JSON), or none for estimates [default: what --calibrate measured here]',
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
      choices: ['blip2-run', 'transformers'] as const,
      group: 'Workload:',
      describe:
        'who will execute the map; of models that are not BLIP-2, blip2-run is any loader that can place experts by themselves [default: blip2-run; transformers for models that are not BLIP-2]',
    })
    .option('names', {
      choices: ['loaded', 'file'] as const,
      group: 'Output:',
      describe: "whose module names the map has: the loaded model's, or the file's for other loaders [default: loaded]",
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
      coerce: parseSeconds,
      describe:
        'seconds to search at most, then the best placement so far, with its gap; [default: a fixed effort, about a second for one or two GPUs and up to four for more]',
    })
    .option('pin', {
      type: 'string',
      array: true,
      nargs: 1,
      group: 'Placement:',
      describe: 'module=device: what has to lie where (0, cpu, disk)',
    });
}

/** Below a second, an integer solver would be loaded in vain. */
async function limits(
  { 'time-limit': seconds, objective }: RequestArgs,
  budgets: Budgets,
): Promise<Pick<PlanOptions, 'timeLimitMs' | 'integerSolver'>> {
  const time = seconds === undefined ? {} : { timeLimitMs: 1000 * seconds };
  const isWanted = seconds === undefined ? needsIntegerSolver(budgets, objective) : seconds >= 1;
  if (!isWanted) return time;
  const { highsSolver } = await import('../../src/highs/index.js');
  return { ...time, integerSolver: await highsSolver() };
}

function parseSeconds(text: string): number {
  const value = Number(text.trim().replace(/s$/, ''));
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
  throw usageError(`--time-limit ${text} is not a number of seconds`, 'For example: --time-limit 0.5');
}

function count(flag: string) {
  return { type: 'string', nargs: 1, group: 'Workload:', coerce: wholeNumber(flag, 1) } as const;
}

export interface RequestArgs extends BudgetArgs, HubArgs {
  readonly checkpoint?: string | undefined;
  readonly reserve?: string | undefined;
  readonly 'allow-quant'?: string | undefined;
  readonly 'count-context'?: boolean | undefined;
  readonly provider: GpuProvider;
  readonly gpu?: readonly string[] | undefined;
  readonly profile?: string | undefined;
  readonly batch?: number | 'auto' | undefined;
  readonly beams?: number | undefined;
  readonly 'prompt-tokens'?: number | undefined;
  readonly 'max-new-tokens'?: number | undefined;
  readonly 'picture-size'?: PictureSize | undefined;
  readonly dtype?: readonly string[] | undefined;
  readonly engine?: 'blip2-run' | 'transformers' | undefined;
  readonly names?: 'loaded' | 'file' | undefined;
  readonly objective: Objective;
  readonly 'time-limit'?: number | undefined;
  readonly pin?: readonly string[] | undefined;
}

export interface PlanRequest {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly options: PlanOptions;
  /** Whether the tensors follow from a published configuration, and no file was read. */
  readonly isPreset: boolean;
  /** Numbers of pictures per call to choose from; absent where the options' workload has it. */
  readonly batches?: readonly number[];
  /** What the checkpoint's reader thought worth saying. */
  readonly warnings: readonly string[];
  /** What was taken for granted. */
  readonly notes: readonly string[];
}

export async function readRequest(args: RequestArgs): Promise<PlanRequest> {
  const { dtype, dtypes } = readDtypes(args.dtype ?? []);
  const cards = readCards(args.gpu ?? []);
  const { budgets, notes } = budgetsOf(args, cards);
  const machine = await readMachine(args, cards, budgets);
  const pins = readPins(args.pin ?? []);
  for (const [module, device] of pins) {
    if (typeof device === 'number' && !budgets.gpus.has(device))
      throw usageError(
        `--pin ${module}=${device} names a GPU without --vram`,
        'GPUs are numbered from 0 in the order of --vram.',
      );
  }
  const { tensors, config, identity, checkpoint } = await loadModel(args.checkpoint, args);
  const known = isBlip2(config) ? null : await knownModels(tensors, config, args);
  for (const module of dtypes.keys()) {
    if (module === '' || [...tensors.keys()].some((name) => name === module || name.startsWith(`${module}.`))) continue;
    throw usageError(`--dtype ${module}=${dtypes.get(module)}: no tensor of this model is in "${module}"`);
  }
  return {
    tensors,
    isPreset: checkpoint === null,
    notes,
    ...batchesOf(args, budgets),
    warnings: [
      ...(checkpoint?.warnings ?? []).map(({ message, code }) => `${message} [${code}]`),
      ...(known?.warnings ?? []),
    ],
    options: {
      config,
      checkpoint: identity,
      budgets,
      workload: {
        ...(typeof args.batch === 'number' ? { batch: args.batch } : {}),
        ...(args.beams === undefined ? {} : { beams: args.beams }),
        ...(args['prompt-tokens'] === undefined ? {} : { promptTokens: args['prompt-tokens'] }),
        ...(args['max-new-tokens'] === undefined ? {} : { newTokens: args['max-new-tokens'] }),
        ...(args['picture-size'] === undefined ? {} : { pictureSize: args['picture-size'] }),
      },
      ...(dtype === undefined ? {} : { dtype }),
      dtypes,
      engine: args.engine ?? (known === null ? 'blip2-run' : 'transformers'),
      ...(known === null ? {} : { models: known.models, names: args.names ?? 'loaded' }),
      provider: args.provider,
      pins,
      allowQuant: readAllowQuant(args['allow-quant']),
      objective: args.objective,
      ...(await limits(args, budgets)),
      ...(machine === null ? {} : { machine }),
      ...(args.reserve === undefined ? {} : { reserveBytes: parseSize(args.reserve) }),
      // The memory of a whole card holds its driver's share.
      countContext: args['count-context'] ?? notes.length > 0,
    },
  };
}

function readDtypes(flags: readonly string[]): { dtype: LoadDtype | undefined; dtypes: Map<string, LoadDtype> } {
  let dtype: LoadDtype | undefined;
  const dtypes = new Map<string, LoadDtype>();
  for (const flag of flags) {
    const [name = '', module] = flag.split('=').toReversed();
    const known = parseDtypeName(`--dtype ${flag}`, name);
    if (module === undefined) dtype = known;
    else dtypes.set(module, known);
  }
  return { dtype, dtypes };
}

function readPins(flags: readonly string[]): DeviceMap {
  const pins = new Map<string, Device>();
  for (const flag of flags) {
    const at = flag.lastIndexOf('=');
    const device = flag.slice(at + 1);
    if (at < 0) throw usageError(`--pin ${flag} is not module=device`, 'For example: --pin qformer=0');
    const value = /^\d+$/.test(device) ? Number(device) : device;
    for (const [key, place] of parseDeviceMap({ [flag.slice(0, at)]: value })) pins.set(key, place);
  }
  return pins;
}
