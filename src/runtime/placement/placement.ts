/** From what a caller says about placement to what runs where. */
import { availableParallelism } from 'node:os';
import { Blip2Error } from '../../errors.js';
import { errorText, option } from '../../error-text.js';
import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import { checkpointFingerprint } from '../../loader/checkpoint/fingerprint.js';
import { parseModelConfig } from '../../model/blip2-config.js';
import { blip2Blocks } from '../../model/blocks.js';
import type { DeviceMap } from '../../planner/map/device-map.js';
import type { Budgets } from '../../planner/plan/request/budgets.js';
import type { PlanOptions } from '../../planner/plan/request/plan-options.js';
import type { PlanDocument } from '../../planner/plan/document/plan-document.js';
import { formatSize } from '../../size.js';
import { defaultCacheFolder } from '../device/cache-folder.js';
import type { DeviceOptions, EngineOptions, ProcessOptions } from '../device/device-options.js';

/** What a plan for budgets is made with. */
export type PlanningOptions = Pick<PlanOptions, 'workload' | 'allowQuant' | 'reserveBytes' | 'machine' | 'pins'> & {
  /**
   * Numbers of pictures at once to choose from, in place of `workload.batch`: the plan is for the one that makes for the most
   * pictures per second, with as many of them encoded together as is fastest. `auto`: what `captionAll` wants.
   */
  readonly batches?: readonly number[] | 'auto';
  /** Whether speeds that `machine` does not say are measured in a blink, once; else they are those of the table. Default true. */
  readonly measure?: boolean;
};

/** A plan, or budgets to make one for, or neither: everything on the CPU, or on the first GPU of the provider asked for. */
export type PlacementOptions =
  | {
      /**
       * A plan of this package's planner, or a Hugging Face device map. Work that a plan's budgets have no room for is
       * refused (`PLAN_MISMATCH`); a map has no budgets.
       */
      readonly plan: PlanDocument | DeviceMap;
      readonly budgets?: never;
      readonly planning?: never;
    }
  | {
      /**
       * What a driver takes of a GPU for the process is part of that GPU's budget. Work that has no room in them is refused
       * (`PLAN_MISMATCH`): say what will be asked in `planning.workload`.
       */
      readonly budgets: Budgets;
      readonly planning?: PlanningOptions;
      readonly plan?: never;
    }
  | { readonly plan?: never; readonly budgets?: never; readonly planning?: never };

/**
 * The options with their placement settled: a plan read, or one made for the budgets and reported.
 * @throws Blip2Error `OPTION_INVALID` for a plan and budgets at once and for threads beyond the machine's, `PLAN_MISMATCH` for a plan of another checkpoint,
 *   `DOES_NOT_FIT` with the planner's result as its details, `PLAN_INVALID`; those of `planDeviceMap`
 */
export async function placedDevices(
  checkpoint: Checkpoint,
  options: EngineOptions & PlacementOptions & ProcessOptions,
): Promise<DeviceOptions> {
  const { plan, budgets, planning: asked, inProcess: _, visibleGpus, onProgress, ...engine } = options;
  const { measure = true, ...planning } = asked ?? {};
  // The types allow one of them; a caller without types is told.
  if (plan !== undefined && budgets !== undefined) {
    throw new Blip2Error('OPTION_INVALID', 'a plan and budgets are given; only one of them can say what runs where');
  }
  const { threads = 1 } = engine;
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > availableParallelism()) {
    throw new Blip2Error(
      'OPTION_INVALID',
      errorText`${option('threads')} is ${threads}; it has to be a whole number from 1 to ${availableParallelism()}, what this machine runs at once`,
    );
  }
  const devices: DeviceOptions = {
    ...engine,
    ...(onProgress === undefined
      ? {}
      : { onConvert: (doneBytes, totalBytes) => onProgress({ stage: 'converting', doneBytes, totalBytes }) }),
  };
  if (plan !== undefined) return { ...devices, ...(await readGiven(checkpoint, plan)) };
  if (budgets === undefined) return devices;
  const { pictureSize } = engine;
  const made = await planFor(checkpoint, budgets, {
    ...(await execution(engine, budgets, {
      visibleGpus,
      speeds: planning.machine !== undefined ? 'given' : measure ? 'measured' : 'estimated',
    })),
    ...planning,
    workload: { ...planning.workload, ...(pictureSize === undefined ? {} : { pictureSize }) },
  });
  onProgress?.({ stage: 'planned', plan: made });
  return { ...devices, ...(await readGiven(checkpoint, made)) };
}

type Execution = Pick<PlanOptions, 'countContext' | 'provider' | 'machine'>;

interface Speeds {
  /** Those of the cards in the order of the model's process. */
  readonly visibleGpus: readonly number[] | undefined;
  readonly speeds: 'given' | 'measured' | 'estimated';
}

/** What the plan has to know about who executes it. A CPU that stands in for GPUs takes nothing of them, and says nothing of them. */
async function execution(
  { provider = 'auto', emulateGpu = false, cacheFolder = defaultCacheFolder() }: EngineOptions,
  { gpus }: Budgets,
  { visibleGpus, speeds }: Speeds,
): Promise<Execution> {
  if (emulateGpu) return { countContext: false };
  const usesGpu = gpus.size > 0;
  if (!usesGpu && speeds !== 'measured') return { countContext: true };
  // Only here, because these load native libraries.
  const { likelyGpuProvider } = await import('../device/choose-provider.js');
  const { estimatedMachine, thisMachine } = await import('../calibrate/this-machine.js');
  const likely = usesGpu ? likelyGpuProvider(provider) : 'cuda';
  const numbers = [...gpus.keys()].sort((a, b) => a - b);
  const parts = { gpus: numbers.map((gpu) => visibleGpus?.[gpu] ?? gpu), provider: likely };
  const executed = { countContext: true, ...(usesGpu ? { provider: likely } : {}) };
  if (speeds === 'given') return executed;
  return {
    ...executed,
    machine: speeds === 'measured' ? await thisMachine(parts, { cacheFolder }) : estimatedMachine(parts),
  };
}

async function planFor(
  checkpoint: Checkpoint,
  budgets: Budgets,
  { batches, ...options }: Omit<PlanningOptions, 'measure'> & Execution,
): Promise<PlanDocument> {
  const [{ planDeviceMap }, { planForBatches }, { doesNotFit }, { needsIntegerSolver }] = await Promise.all([
    import('../../planner/plan/plan-device-map.js'),
    import('../../planner/plan/plan-for-batches.js'),
    import('../../planner/report/does-not-fit.js'),
    import('../../planner/plan/request/needs-integer-solver.js'),
  ]);
  const { folder, files, tensors, config } = checkpoint;
  const identity = {
    id: folder,
    files: files.map(({ name }) => name),
    fingerprint: checkpointFingerprint(checkpoint),
  };
  const integerSolver = needsIntegerSolver(budgets)
    ? await (await import('../../highs/index.js')).highsSolver()
    : undefined;
  const asked = {
    ...(integerSolver === undefined ? {} : { integerSolver }),
    ...options,
    budgets,
    config,
    checkpoint: identity,
  };
  const result =
    batches === undefined
      ? planDeviceMap(tensors, asked)
      : planForBatches(tensors, asked, batches === 'auto' ? undefined : batches);
  if (result.status === 'infeasible') throw doesNotFit(result);
  return result.plan;
}

async function readGiven(
  checkpoint: Checkpoint,
  plan: PlanDocument | DeviceMap,
): Promise<Pick<DeviceOptions, 'deviceMap' | 'hostBlocks' | 'streamGpus' | 'quant' | 'plan'>> {
  if (isMap(plan)) return { deviceMap: plan };
  const { readPlan } = await import('../../planner/plan/document/read-plan.js');
  const { fingerprint, map, placed, ...placement } = readPlan(plan);
  if (fingerprint !== checkpointFingerprint(checkpoint)) {
    // Other shards, dtypes or integers of the same weights count the same once they are loaded: then the plan holds.
    const [{ differingBlock }, { parsePlan }] = await Promise.all([
      import('../../planner/plan/comparison/differing-block.js'),
      import('../../planner/plan/document/plan-document.js'),
    ]);
    const difference = differingBlock(parsePlan(plan), checkpoint.tensors, checkpoint.config);
    if (difference !== null) throw mismatch(checkpoint, difference);
  }
  const without = blip2Blocks(parseModelConfig(checkpoint.config)).find(({ name }) => placed?.has(name) === false);
  if (without !== undefined) {
    throw new Blip2Error('PLAN_INVALID', `the plan does not say how ${without.name} runs`, {
      hint: 'Make it again with blip2-plan --format json, or give its device map alone.',
      details: { block: without.name },
    });
  }
  refuseOverBudget(plan);
  return { deviceMap: map, ...placement, plan };
}

/** A plan document may also be what a map that does not fit was explained as. */
function refuseOverBudget(plan: Partial<PlanDocument>): void {
  for (const { id, budgetBytes, freeBytes } of plan.devices ?? []) {
    if (budgetBytes === null || freeBytes === null || freeBytes >= 0) continue;
    const name = typeof id === 'number' ? `GPU ${id}` : id;
    throw new Blip2Error(
      'PLAN_INVALID',
      `the plan takes ${formatSize(-freeBytes)} more than the ${formatSize(budgetBytes)} of ${name}, for a map that was given`,
      { hint: 'Plan again without --strategy, or give its device map alone.', details: { device: id, freeBytes } },
    );
  }
}

function mismatch({ folder }: Checkpoint, difference: string): Blip2Error {
  return new Blip2Error('PLAN_MISMATCH', `the plan was made for another model than ${folder}: ${difference}`, {
    hint: `Plan again: blip2-plan ${folder} --vram <size> --format json`,
  });
}

function isMap(plan: PlanDocument | DeviceMap): plan is DeviceMap {
  return plan instanceof Map;
}
