/** What is settled before a placement is chosen. */
import type { QuantScheme } from '../../../tensor/quantized.js';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import type { Device, DeviceMap } from '../../map/device-map.js';
import { gpuAt, type GpuProfile, type MachineProfile } from '../../price/device-profile.js';
import { convertedBytes } from '../../price/preparation.js';
import { UNKNOWN_GPU, UNKNOWN_HOST } from '../../price/known-devices.js';
import { priceList, type PriceList } from '../../price/price-list.js';
import { webGpuProfile } from '../../price/webgpu-profile.js';
import { atItsWorst } from '../../price/worst-case.js';
import { keptActivationBytes } from '../../profile/kept-activations.js';
import { cachesTakeTurns, turnsBytes, withoutTurns } from '../../profile/cache-turns.js';
import type { ModelProfile } from '../../profile/model-profile.js';
import { keptProductBytes, withWebGpuBlocks } from '../../profile/webgpu-blocks.js';
import { accuracyRule } from '../../price/accuracy.js';
import { checkBudgets, type Budgets } from './budgets.js';
import { checkPins } from './check-pins.js';
import type { CheckpointIdentity, PlanOptions } from './plan-options.js';
import { needsIntegerSolver } from './needs-integer-solver.js';
import { profileOf } from './profile-of.js';
import { turnAssumptions } from './turn-assumptions.js';

const TOOL = { name: 'blip2-device-map', version: '0.1.0' } as const;

/** Everything that is settled before a placement is chosen. */
export interface PlanContext {
  readonly tool: typeof TOOL;
  readonly checkpoint: CheckpointIdentity;
  readonly profile: ModelProfile;
  readonly budgets: Budgets;
  /** Bytes that caches and what waits of pictures take in turns: see `cache-turns`. */
  readonly turnsBytes: number;
  /** GPU number -> bytes that the engine takes beside the model, those taken in turns included. */
  readonly overheads: ReadonlyMap<number, number>;
  /** GPU number -> bytes to leave free. */
  readonly reserves: ReadonlyMap<number, number>;
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
  readonly warnings: readonly string[];
}

export function preparePlan(tensors: ReadonlyMap<string, TensorInfo>, options: PlanOptions): PlanContext {
  const budgets = checkBudgets(options.budgets);
  const loaded = profileOf(tensors, options);
  const given = options.machine ?? { gpus: [UNKNOWN_GPU], host: UNKNOWN_HOST };
  const isWebGpu = options.provider === 'webgpu' && loaded.engine === 'blip2-run';
  const machine = isWebGpu ? { ...given, gpus: given.gpus.map(webGpuProfile) } : given;
  const whole = isWebGpu ? withWebGpuBlocks(loaded, tensors) : loaded;
  const takesTurns = !isWebGpu && budgets.gpus.size === 1 && cachesTakeTurns(whole);
  const profile = takesTurns ? withoutTurns(whole) : whole;
  const shared = takesTurns ? turnsBytes(whole) : 0;
  const keptBytes = isWebGpu ? keptProductBytes(loaded) : keptOnCuda(loaded, tensors, options);
  const gpuIds = [...budgets.gpus.keys()].sort((a, b) => a - b);
  const pins = options.pins ?? new Map<string, Device>();
  checkPins(pins, profile);
  const overheads = new Map<number, number>();
  const reserves = new Map<number, number>();
  for (const [i, id] of gpuIds.entries()) {
    const rates = gpuAt(machine, i)?.engines[profile.engine];
    const context = options.countContext === true ? (rates?.contextBytes ?? 0) : 0;
    overheads.set(id, context + (rates?.workspaceBytes ?? 0) + keptBytes + shared);
    reserves.set(id, options.reserveBytes ?? 0);
  }
  return {
    tool: TOOL,
    checkpoint: options.checkpoint ?? { id: '', files: [], fingerprint: null },
    profile,
    budgets,
    turnsBytes: shared,
    overheads,
    reserves,
    machine,
    prices: priceList(profile, atItsWorst(machine, gpuIds), gpuIds),
    predicted: priceList(profile, machine, gpuIds),
    convertedBytes: convertedBytes(profile, tensors),
    pins,
    schemes: options.allowQuant ?? [],
    settled: new Map(),
    assumptions: [
      ...assumptionsOf(machine, gpuIds, budgets),
      ...(options.objective === 'throughput' ? turnAssumptions(profile.engine) : []),
      ...accuracyRule(options.allowQuant ?? []),
      ...heuristic(options),
    ],
    warnings: [],
  };
}

/** What the planner's own search does not prove. */
function heuristic({ integerSolver, budgets, objective }: PlanOptions): string[] {
  const isSearch = objective !== 'throughput' && budgets.gpus.size <= 2;
  return integerSolver !== undefined || isSearch || !needsIntegerSolver(budgets, objective)
    ? []
    : ["No integer solver was given: this placement is a heuristic's, and an integer solver may find a faster one."];
}

function keptOnCuda(profile: ModelProfile, tensors: ReadonlyMap<string, TensorInfo>, options: PlanOptions): number {
  const { family, engine, workload } = profile;
  if (family !== 'blip2' || engine !== 'blip2-run' || workload.batch * workload.beams === 1) return 0;
  const single = profileOf(tensors, { ...options, workload: { ...options.workload, batch: 1, beams: 1 } });
  const mayFit = [...options.budgets.gpus.values()].some((bytes) => bytes >= profile.weightBytes);
  return keptActivationBytes(profile, single, mayFit);
}

/** Bytes of a GPU's budget that no placement may use: all of it where the engine alone takes more. */
export function takenBytes({ budgets, overheads, reserves }: PlanContext, gpu: number): number {
  return Math.min(budgets.gpus.get(gpu) ?? 0, (overheads.get(gpu) ?? 0) + (reserves.get(gpu) ?? 0));
}

function assumptionsOf(machine: MachineProfile, gpuIds: readonly number[], budgets: Budgets): string[] {
  const used: (GpuProfile | MachineProfile['host'])[] = [
    ...new Set(gpuIds.map((_, i) => gpuAt(machine, i)).filter((gpu) => gpu !== undefined)),
    machine.host,
  ];
  return [
    ...used.map((device) => `${device.name}: ${device.source}.`),
    ...(budgets.ramBytes === null ? ['Host memory is taken to be enough: no RAM budget was given.'] : []),
  ];
}
