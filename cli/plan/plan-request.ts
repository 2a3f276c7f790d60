/** What the flags of a request ask of the library. */
import { setFlagsFromString } from 'node:v8';
import {
  type Budgets,
  type Device,
  type DeviceMap,
  type Engine,
  type LoadDtype,
  needsIntegerSolver,
  parseDeviceMap,
  parseSize,
  planDeviceMap,
  planForBatches,
  type PlanOptions,
  type PlanResult,
  type TensorTable,
  autoBatches,
} from '../../src/planner/index.js';
import { isWithin } from '../../src/planner/map/module-paths.js';
import { architecturesOf, asConfig } from '../../src/planner/models/model-config.js';
import { indexedDtype } from '../../src/planner/models/stored-dtype.js';
import { isBlip2 } from '../../src/model/blip2-config.js';
import { parseDtypeName } from '../common/dtype.js';
import { loadModel } from '../common/load-model.js';
import { usageError } from '../common/main.js';
import { sayer } from '../common/say.js';
import { readAllowQuant } from '../common/plan-options.js';
import { budgetsOf, readCards } from './cards.js';
import { knownModels } from './known-models.js';
import { processorSize } from './processor-size.js';
import { readMachine } from './read-machine.js';
import { adapterBeside, weightFileWarnings } from './weight-files.js';
import type { RequestArgs } from './request-flags.js';

/** What V8 runs of a function, in bytes of code, before it optimises it: about a second. */
const TIERING_BUDGET = 1e9;

/** Below a second, an integer solver would be loaded in vain. */
async function limits(
  { 'time-limit': seconds, objective }: RequestArgs,
  budgets: Budgets,
): Promise<Pick<PlanOptions, 'timeLimitMs' | 'integerSolver'>> {
  const time = seconds === undefined ? {} : { timeLimitMs: 1000 * seconds };
  const isWanted = seconds === undefined ? needsIntegerSolver(budgets, objective) : seconds >= 1;
  if (!isWanted) return time;
  const { highsSolver } = await import('../../src/highs/index.js');
  // A search of a second or two is over before optimised code pays for its compilation, which is most of the work by default.
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`);
  return { ...time, integerSolver: await highsSolver() };
}

export interface PlanRequest {
  readonly tensors: TensorTable;
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

/** What a person should know before the answer, on stderr. */
export function tellRequest({ warnings, notes }: Pick<PlanRequest, 'warnings' | 'notes'>, quiet?: boolean): void {
  const say = sayer(quiet);
  for (const warning of warnings) say(`warning: ${warning}`);
  for (const note of notes) say(note);
}

/** The plan that is asked for; or that nothing fits. */
export function planRequest({ tensors, options, batches }: PlanRequest): PlanResult {
  return batches === undefined ? planDeviceMap(tensors, options) : planForBatches(tensors, options, batches);
}

/** @param usualEngine of a BLIP-2, where no flag says who will execute the map */
export async function readRequest(args: RequestArgs, usualEngine: Engine = 'blip2-run'): Promise<PlanRequest> {
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
  const known = isBlip2(config) ? null : await knownModels(tensors, config, { ...args, gpus: budgets.gpus.size });
  const loaded = dtype ?? (known === null ? undefined : indexedDtype(config, checkpoint?.indexDtype));
  const engine = args.engine ?? (known === null ? usualEngine : 'transformers');
  if (engine === 'transformers' && args.provider === 'webgpu')
    throw usageError('transformers runs nothing through WebGPU', 'Leave --provider webgpu out, or plan for blip2-run.');
  const takesPictures = architecturesOf(asConfig(config)).some(
    (name) => (known?.models.classOf(name)?.pictures ?? null) !== null,
  );
  const beside = takesPictures && checkpoint !== null ? await processorSize(checkpoint.folder) : null;
  const pictureSize = args['picture-size'] ?? beside;
  const adapter = engine === 'transformers' && checkpoint !== null ? await adapterBeside(checkpoint) : null;
  for (const module of dtypes.keys()) {
    if (module === '' || [...tensors.keys()].some((name) => isWithin(name, module))) continue;
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
      ...(engine === 'transformers' && checkpoint !== null ? weightFileWarnings(checkpoint) : []),
      ...(adapter?.warnings ?? []),
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
        ...(pictureSize === null ? {} : { pictureSize }),
      },
      ...(loaded === undefined ? {} : { dtype: loaded }),
      dtypes,
      ...(adapter === null || adapter.tensors.size === 0 ? {} : { buffers: adapter.tensors }),
      engine,
      ...(known === null ? {} : { models: known.models, names: args.names ?? 'loaded' }),
      provider: args.provider,
      pins,
      cutsLayers: args['cut-layers'] ?? false,
      pageLocked: args['page-lock'] ?? false,
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
    const before = module === undefined ? dtype : dtypes.get(module);
    if (before !== undefined && before !== known) throw contradiction(`--dtype ${flag}`, before);
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
    for (const [key, place] of parseDeviceMap({ [flag.slice(0, at)]: value })) {
      const before = pins.get(key);
      if (before !== undefined && before !== place) throw contradiction(`--pin ${flag}`, before);
      pins.set(key, place);
    }
  }
  return pins;
}

const contradiction = (flag: string, before: Device | LoadDtype) =>
  usageError(`${flag} contradicts an earlier one, which says ${before}`);

/**
 * Numbers of pictures per call to choose from; none for one picture, and where GPUs are spared rather than time.
 * @throws Blip2Error `USAGE`
 */
function batchesOf({ batch = 1, objective }: RequestArgs, budgets: Budgets): Pick<PlanRequest, 'batches'> {
  if (objective === 'fewest-devices') {
    if (batch !== 'auto') return {};
    throw usageError(
      '--batch auto is for the most pictures per second, --objective fewest-devices for the fewest GPUs',
    );
  }
  if (batch === 1) return {};
  return { batches: batch === 'auto' ? autoBatches(budgets) : [batch] };
}
