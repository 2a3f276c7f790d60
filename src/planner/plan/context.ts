/** What is settled before a placement is chosen. */
import type { QuantScheme } from '../../tensor/quantized.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import type { Device, DeviceMap } from '../map/device-map.js';
import { gpuAt, type GpuProfile, type MachineProfile } from '../price/device-profile.js';
import { convertedBytes } from '../price/preparation.js';
import { UNKNOWN_GPU, UNKNOWN_HOST } from '../price/known-devices.js';
import { priceList, type PriceList } from '../price/price-list.js';
import { webGpuProfile } from '../price/webgpu-profile.js';
import { atItsWorst } from '../price/worst-case.js';
import type { ModelTable } from '../models/read-model-table.js';
import { keptActivationBytes } from '../profile/kept-activations.js';
import type { LoadDtype } from '../profile/load-dtype.js';
import type { Engine, ModelProfile } from '../profile/model-profile.js';
import { keptProductBytes, withWebGpuBlocks } from '../profile/webgpu-blocks.js';
import type { Workload } from '../profile/workload.js';
import type { SolveOptions } from '../solve/exact.js';
import type { IntegerSolver } from '../solve/integer/integer-program.js';
import { accuracyRule } from './accuracy.js';
import { checkBudgets, type Budgets } from './budgets.js';
import { checkPins } from './check-pins.js';
import type { GpuProvider } from './gpu-provider.js';
import type { CheckpointIdentity, Objective } from './plan-document.js';
import { profileOf } from './profile-of.js';
import { turnAssumptions } from './turn-assumptions.js';

export interface PlanOptions {
  /** The parsed JSON of `config.json`; without a BLIP-2 configuration blocks are found by their names. */
  readonly config?: unknown;
  readonly checkpoint?: CheckpointIdentity;
  readonly budgets: Budgets;
  readonly workload?: Partial<Workload>;
  /** What floating tensors become when loaded. Default `float16`; with `models`, what transformers takes by itself. */
  readonly dtype?: LoadDtype;
  /** Module path -> dtype, over `dtype`. */
  readonly dtypes?: ReadonlyMap<string, LoadDtype>;
  /** Who will execute the map. Default `blip2-run`. */
  readonly engine?: Engine;
  /** What `blip2-run` reaches the GPUs through. Default `cuda`. */
  readonly provider?: GpuProvider;
  /** What the devices can do; profiles go to GPUs in the order of their numbers. Default: stated estimates. */
  readonly machine?: MachineProfile;
  /** Bytes to leave free on every GPU. Default 0. */
  readonly reserveBytes?: number;
  /** Count the memory that the driver takes for the process, as nvidia-smi does. Default false. */
  readonly countContext?: boolean;
  /**
   * What transformers loads, class by class, for models that are not BLIP-2; without it their blocks are found by names alone.
   * `loadModelTable` of `blip2-device-map/models` gives it.
   */
  readonly models?: ModelTable;
  /** Whose names the device map has: the loaded model's (default), or the file's, for loaders that do not translate. */
  readonly names?: 'loaded' | 'file';
  /** Module path -> device that must hold it. */
  readonly pins?: DeviceMap;
  /** Schemes that the language model's linear weights may be quantised with, where that saves time. Default none. */
  readonly allowQuant?: readonly QuantScheme[];
  /** Tensor name that the files leave out -> the stored tensor it shares. BLIP-2's own ties are known. */
  readonly ties?: ReadonlyMap<string, string>;
  /** Tensors that modules create themselves (non-persistent buffers); they stay where their module runs. */
  readonly buffers?: ReadonlyMap<string, TensorInfo>;
  /** What the plan is best at. Default `latency`. */
  readonly objective?: Objective;
  /**
   * How long to search at most; then the best placement found is the answer, with its gap. By default a search ends when its
   * answer is proven or after a fixed effort: about a second for a GPU or two, up to a few for more. More time than a second
   * searches longer, with `integerSolver` where that is given.
   */
  readonly timeLimitMs?: number;
  /**
   * Goes on where the planner's own search ends without a proof, until there is one or the time is up: what
   * `blip2-device-map/highs` gives, or anything else that solves integer programs. Default none.
   */
  readonly integerSolver?: IntegerSolver;
  readonly solver?: SolveOptions;
  /** Whether to look for remedies where nothing fits. Default true. */
  readonly explain?: boolean;
}

const TOOL = { name: 'blip2-device-map', version: '0.1.0' } as const;

/** Everything that is settled before a placement is chosen. */
export interface PlanContext {
  readonly tool: typeof TOOL;
  readonly checkpoint: CheckpointIdentity;
  readonly profile: ModelProfile;
  readonly budgets: Budgets;
  /** GPU number -> bytes that the engine takes beside the model. */
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
  const profile = isWebGpu ? withWebGpuBlocks(loaded, tensors) : loaded;
  const keptBytes = isWebGpu ? keptProductBytes(loaded) : keptOnCuda(loaded, tensors, options);
  const gpuIds = [...budgets.gpus.keys()].sort((a, b) => a - b);
  const pins = options.pins ?? new Map<string, Device>();
  checkPins(pins, profile);
  const overheads = new Map<number, number>();
  const reserves = new Map<number, number>();
  for (const [i, id] of gpuIds.entries()) {
    const rates = gpuAt(machine, i)?.engines[profile.engine];
    const context = options.countContext === true ? (rates?.contextBytes ?? 0) : 0;
    overheads.set(id, context + (rates?.workspaceBytes ?? 0) + keptBytes);
    reserves.set(id, options.reserveBytes ?? 0);
  }
  return {
    tool: TOOL,
    checkpoint: options.checkpoint ?? { id: '', files: [], fingerprint: null },
    profile,
    budgets,
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
    ],
    warnings: [],
  };
}

function keptOnCuda(profile: ModelProfile, tensors: ReadonlyMap<string, TensorInfo>, options: PlanOptions): number {
  const { family, engine, workload } = profile;
  if (family !== 'blip2' || engine !== 'blip2-run' || workload.batch * workload.beams === 1) return 0;
  const single = profileOf(tensors, { ...options, workload: { ...options.workload, batch: 1, beams: 1 } });
  return keptActivationBytes(profile, single);
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
