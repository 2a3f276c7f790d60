/** What is settled before a placement is chosen. */
import { found } from '../../../checked-access.js';
import type { QuantScheme } from '../../../tensor/quantized.js';
import type { LoadDtype } from '../../../tensor/load-dtype.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import type { Device, DeviceMap } from '../../map/device-map.js';
import { gpuAt, type MachineProfile } from '../../price/device-profile.js';
import { convertedBytes } from '../../price/preparation.js';
import { UNKNOWN_GPU, UNKNOWN_HOST } from '../../price/known-devices.js';
import { pageLockedProfile } from '../../price/page-locked.js';
import { priceList, type PriceList } from '../../price/price-list.js';
import { webGpuProfile } from '../../price/webgpu-profile.js';
import { atItsWorst } from '../../price/worst-case.js';
import { keptActivationBytes } from '../../profile/engine-memory/kept-activations.js';
import { cachesTakeTurns, turnsBytes, withoutTurns } from '../../profile/engine-memory/cache-turns.js';
import type { ModelProfile } from '../../profile/model-profile.js';
import { keptProductBytes, withWebGpuBlocks } from '../../profile/engine-memory/webgpu-blocks.js';
import type { Engine } from '../../map/engine.js';
import { accuracyRule } from '../../price/accuracy.js';
import { checkBudgets, type Budgets } from './budgets.js';
import { checkPins } from './check-pins.js';
import type { CheckpointIdentity, PlanOptions } from './plan-options.js';
import { profiler, type Grain } from './profiler.js';
import { needsIntegerSolver } from './needs-integer-solver.js';

/** Everything that is settled before a placement is chosen. */
export interface PlanContext {
  readonly checkpoint: CheckpointIdentity;
  readonly profile: ModelProfile;
  /** Module path -> dtype where it is not the profile's. */
  readonly dtypes: ReadonlyMap<string, LoadDtype>;
  readonly budgets: Budgets;
  /** Bytes that caches and what waits of pictures take in turns: see `cache-turns`. */
  readonly turnsBytes: number;
  /** GPU number -> bytes that the engine takes beside the model, those taken in turns included. */
  readonly overheads: ReadonlyMap<number, number>;
  /** To leave free on every GPU. */
  readonly reserveBytes: number;
  /** Whether overheads hold what the driver takes for a process. */
  readonly countContext: boolean;
  /** Whether transformers streams from page-locked memory. */
  readonly pageLocked: boolean;
  readonly machine: MachineProfile;
  /** What the solver weighs: each device at its worst. */
  readonly prices: PriceList;
  /** What is predicted. */
  readonly predicted: PriceList;
  /** Block -> bytes of float32 that are made of its weights, once, where the CPU of `blip2-run` is to run it. */
  readonly convertedBytes: ReadonlyMap<string, number>;
  readonly pins: DeviceMap;
  readonly schemes: readonly QuantScheme[];
  /** Block -> the scheme it must have, null for none; absent where the solver chooses. */
  readonly settled: ReadonlyMap<string, QuantScheme | null>;
  readonly assumptions: readonly string[];
}

/** What is asked of a checkpoint, over and over for different work and budgets. */
export type PlanPreparer = (asked: Pick<PlanOptions, 'budgets' | 'workload'>) => PlanContext;

/** Settles what one request needs. @throws Blip2Error as `planDeviceMap` */
export function preparePlan(tensors: TensorTable, options: PlanOptions & Grain): PlanContext {
  return planPreparer(tensors, options)(options);
}

/** Looks at the tensors once, for any number of workloads and budgets. @throws Blip2Error as `planDeviceMap` */
export function planPreparer(
  tensors: TensorTable,
  options: Omit<PlanOptions, 'budgets' | 'workload'> & Grain,
): PlanPreparer {
  const profileFor = profiler(tensors, options);
  return ({ budgets: given, workload }) => {
    const budgets = checkBudgets(given);
    const profiled = withCard(options.machine ?? { gpus: [], host: UNKNOWN_HOST }, budgets);
    const packedRows = options.provider === 'webgpu' ? 1 : leastPackedRows(profiled, budgets);
    const loaded = profileFor(workload, packedRows);
    const isWebGpu = options.provider === 'webgpu' && loaded.engine === 'blip2-run' && loaded.family === 'blip2';
    const reached = isWebGpu ? webGpuProfile : options.pageLocked === true ? pageLockedProfile : null;
    const machine = reached === null ? profiled : { ...profiled, gpus: profiled.gpus.map(reached) };
    const whole = isWebGpu ? withWebGpuBlocks(loaded, tensors) : loaded;
    const takesTurns = !isWebGpu && budgets.gpus.size === 1 && cachesTakeTurns(whole);
    const profile = takesTurns ? withoutTurns(whole) : whole;
    const shared = takesTurns ? turnsBytes(whole) : 0;
    const single = () => profileFor({ ...workload, batch: 1, beams: 1 }, packedRows);
    const keptBytes = isWebGpu ? keptProductBytes(loaded) : keptOnCuda(loaded, single, budgets, packedRows);
    const gpuIds = [...budgets.gpus.keys()];
    const pins = options.pins ?? new Map<string, Device>();
    checkPins(pins, profile);
    const overheads = new Map<number, number>();
    // Drivers take memory of GPUs alone.
    const countContext = options.countContext === true && budgets.gpus.size > 0;
    for (const [i, id] of gpuIds.entries()) {
      const { contextBytes, workspaceBytes } = gpuAt(machine, i).engines[profile.engine];
      overheads.set(id, (countContext ? contextBytes : 0) + workspaceBytes + keptBytes + shared);
    }
    return {
      checkpoint: options.checkpoint ?? { id: '', files: [], fingerprint: null },
      profile,
      dtypes: options.dtypes ?? new Map<string, LoadDtype>(),
      budgets,
      turnsBytes: shared,
      overheads,
      reserveBytes: options.reserveBytes ?? 0,
      countContext,
      pageLocked: options.pageLocked === true,
      machine,
      prices: priceList(profile, atItsWorst(machine, gpuIds), gpuIds),
      predicted: priceList(profile, machine, gpuIds),
      convertedBytes: convertedBytes(profile, tensors),
      pins,
      schemes: options.allowQuant ?? [],
      settled: new Map(),
      assumptions: assumptionsOf(machine, profile.engine, { ...options, budgets }),
    };
  };
}

function keptOnCuda(profile: ModelProfile, single: () => ModelProfile, { gpus }: Budgets, packedRows: number): number {
  const { family, engine, workload } = profile;
  if (family !== 'blip2' || engine !== 'blip2-run' || workload.batch * workload.beams === 1) return 0;
  const mayFit = [...gpus.values()].some((bytes) => bytes >= profile.weightBytes);
  return keptActivationBytes(profile, single(), { mayFit, packedRows });
}

/** What a GPU's budget is for: the engine's part and the reserve are less than asked where the budget has no more. */
export interface GpuShare {
  readonly id: number;
  readonly budgetBytes: number;
  readonly overheadBytes: number;
  readonly reserveBytes: number;
  /** For the model. */
  readonly roomBytes: number;
}

/** In the order of their numbers. */
export function gpuShares({ budgets, overheads, reserveBytes: asked }: PlanContext): GpuShare[] {
  return [...budgets.gpus].map(([id, budgetBytes]) => {
    const overheadBytes = Math.min(budgetBytes, found(overheads, id));
    const reserveBytes = Math.min(budgetBytes - overheadBytes, asked);
    return { id, budgetBytes, overheadBytes, reserveBytes, roomBytes: budgetBytes - overheadBytes - reserveBytes };
  });
}

/** A machine that was measured without a card still plans for one: the stated estimate stands for it. */
function withCard(machine: MachineProfile, { gpus }: Budgets): MachineProfile {
  return machine.gpus.length > 0 || gpus.size === 0 ? machine : { ...machine, gpus: [UNKNOWN_GPU] };
}

/** Of the GPU that has fewest: which one runs the head is not settled yet. */
function leastPackedRows(machine: MachineProfile, { gpus }: Budgets): number {
  if (gpus.size === 0) return 1;
  return Math.min(...Array.from(gpus.keys(), (_, index) => gpuAt(machine, index).packedRows ?? 1));
}

/** What a plan takes for granted before a placement is chosen, in words. */
function assumptionsOf(machine: MachineProfile, engine: Engine, options: PlanOptions): string[] {
  const { budgets, objective, pageLocked, allowQuant = [] } = options;
  const gpus = new Set([...budgets.gpus.keys()].map((_, i) => gpuAt(machine, i)));
  return [
    ...[...gpus, machine.host].map((device) => `${device.name}: ${device.source}.`),
    ...(budgets.ramBytes === null ? ['Host memory is taken to be enough: no RAM budget was given.'] : []),
    ...(pageLocked === true ? [PAGE_LOCKED] : []),
    ...(objective === 'throughput' ? ofThroughput(engine) : []),
    ...accuracyRule(allowQuant),
    ...heuristic(options),
  ];
}

const PAGE_LOCKED =
  'What is streamed from host memory is page-locked there, which the Python of this plan does and from_pretrained alone does not.';

/** Nothing of it was measured on several cards. */
function ofThroughput(engine: Engine): string[] {
  return [
    'Throughput: calls follow one another through the devices, which neither engine arranges by itself; copies between devices take none of their time.',
    'Throughput: caches are counted for one call at a time.',
    ...(engine === 'transformers'
      ? [
          'Throughput: every GPU is driven by a Python interpreter of its own; those of one process wait for each other.',
        ]
      : []),
  ];
}

/** What the planner's own search does not prove. */
function heuristic({ integerSolver, budgets, objective }: PlanOptions): string[] {
  const isSearch = objective !== 'throughput' && budgets.gpus.size <= 2;
  return integerSolver !== undefined || isSearch || !needsIntegerSolver(budgets, objective)
    ? []
    : ["No integer solver was given: this placement is a heuristic's, and an integer solver may find a faster one."];
}
