/** The plan document of a placement, chosen by the solver or written by hand. */
import type { QuantScheme } from '../../tensor/quantized.js';
import { emitDeviceMap } from '../map/emit-device-map.js';
import type { Device, DeviceMap } from '../map/device-map.js';
import { runsOn, type Place, type PriceList } from '../price/price-list.js';
import type { GpuProfile, MachineProfile } from '../price/device-profile.js';
import type { LoadDtype } from '../profile/load-dtype.js';
import { formatSize } from '../size.js';
import { formOf, type ModelProfile } from '../profile/model-profile.js';
import { accuracyNotes, accuracyPrices } from './accuracy.js';
import type { Budgets } from './budgets.js';
import { chargesOf, weightsOn, type Charge } from './memory.js';
import { deviceOfPlace } from './place-device.js';
import {
  PLAN_SCHEMA,
  type CheckpointIdentity,
  type Crossing,
  type DeviceMemory,
  type PlanCost,
  type PlanDocument,
  type Placement,
  type SolverReport,
} from './plan-document.js';

export interface PlanInput {
  readonly tool: { readonly name: string; readonly version: string };
  readonly checkpoint: CheckpointIdentity;
  readonly profile: ModelProfile;
  readonly dtypes: ReadonlyMap<string, LoadDtype>;
  readonly budgets: Budgets;
  /** GPU number -> bytes that the engine takes beside the model. */
  readonly overheads: ReadonlyMap<number, number>;
  /** GPU number -> bytes to leave free. */
  readonly reserves: ReadonlyMap<number, number>;
  readonly machine: MachineProfile;
  readonly prices: PriceList;
  /** A place for every block of the profile. */
  readonly choice: readonly Place[];
  readonly solver: SolverReport;
  readonly assumptions: readonly string[];
  readonly warnings: readonly string[];
}

export interface BuiltPlan {
  readonly document: PlanDocument;
  readonly map: DeviceMap;
}

export function buildPlan(input: PlanInput): BuiltPlan {
  const { profile, choice, prices } = input;
  const map = mapOf(profile, choice);
  const placements = profile.blocks.map((block, i): Placement => {
    const place = placeAt(choice, i);
    return {
      block: block.name,
      phase: block.phase,
      device: deviceOfPlace(place),
      weightsOn: weightsOn(block, place),
      execution: place.execution,
      runsOn: runsOn(place),
      weightBytes: formOf(block, place.scheme).weightBytes,
      latencyMs: rounded(prices.blockMs(block, place)),
    };
  });
  const crossings = crossingsOf(profile, choice, prices);
  const quant = quantOf(profile, choice);
  const document: PlanDocument = {
    schema: PLAN_SCHEMA,
    tool: input.tool,
    checkpoint: input.checkpoint,
    engine: profile.engine,
    dtype: profile.dtype,
    dtypes: Object.fromEntries(input.dtypes),
    quant: Object.fromEntries(quant),
    accuracy: accuracyNotes(profile, choice, accuracyPrices(profile, input.budgets.gpus.keys(), prices), quant),
    workload: profile.workload,
    devices: memoryTable(input),
    device_map: Object.fromEntries(map),
    placements,
    crossings,
    cost: costOfPlan(profile, choice, prices, crossings),
    solver: {
      objective: input.solver.objective,
      status: input.solver.status,
      boundMs: rounded(input.solver.boundMs),
      gap: Number(input.solver.gap.toPrecision(3)),
    },
    assumptions: [...profile.assumptions, ...input.assumptions],
    warnings: [
      ...profile.warnings,
      ...input.warnings,
      ...(input.solver.objective === 'fewest-devices' ? [] : idleGpus(input, placements)),
    ],
  };
  return { document, map };
}

/** Block -> what its weights are stored as, where they are not floats. */
function quantOf(profile: ModelProfile, choice: readonly Place[]): Map<string, QuantScheme> {
  const quant = new Map<string, QuantScheme>();
  for (const [i, block] of profile.blocks.entries()) {
    const { scheme } = formOf(block, placeAt(choice, i).scheme);
    if (scheme !== null) quant.set(block.name, scheme);
  }
  return quant;
}

/** A GPU that stands by while weights lie elsewhere is a surprise worth a sentence. */
function idleGpus({ budgets, profile }: PlanInput, placements: readonly Placement[]): string[] {
  if (placements.every(({ execution }) => execution === 'resident')) return [];
  const busy = new Set(placements.map(({ runsOn: device }) => device));
  const leaf = Math.max(...profile.blocks.map((block) => block.largestLeafBytes));
  return [...budgets.gpus]
    .filter(([id, bytes]) => bytes > 0 && !busy.has(id))
    .map(([id, bytes]) =>
      profile.engine === 'transformers' && bytes < leaf
        ? `GPU ${id} is not used: its ${formatSize(bytes)} cannot take the largest module that would be streamed to it (${formatSize(leaf)}).`
        : `GPU ${id} is not used: every placement with it is predicted to be slower, or does not fit.`,
    );
}

/** Every block, and every alias that loading needs a key for, merged into the shortest safe map. */
export function mapOf(profile: ModelProfile, choice: readonly Place[]): DeviceMap {
  const leaves = new Map<string, Device>();
  const tensors: string[] = [];
  for (const [i, block] of profile.blocks.entries()) {
    const device = deviceOfPlace(placeAt(choice, i));
    leaves.set(block.name, device);
    for (const tensor of block.tensors) if (deviceCovers(block.name, tensor)) tensors.push(tensor);
  }
  for (const [alias, block] of profile.aliases) {
    const device = leaves.get(block);
    if (device !== undefined) leaves.set(alias, device);
  }
  return emitDeviceMap(leaves, [...tensors, ...leaves.keys()]);
}

/** A tied table may be stored under another module's name; that module has a key of its own. */
function deviceCovers(block: string, tensor: string): boolean {
  return tensor === block || tensor.startsWith(`${block}.`);
}

function memoryTable(input: PlanInput): DeviceMemory[] {
  const { profile, choice, budgets, machine } = input;
  const charges = profile.blocks.flatMap((block, i) => chargesOf(block, placeAt(choice, i), profile.engine));
  const gpuIds = [...budgets.gpus.keys()].sort((a, b) => a - b);
  const row = (
    id: Device,
    name: string,
    budgetBytes: number | null,
    overheadBytes: number,
    reserveBytes: number,
  ): DeviceMemory => {
    const own = charges.filter((charge) => charge.device === id);
    const sum = (field: keyof Omit<Charge, 'device'>) => own.reduce((total, charge) => total + charge[field], 0);
    const top = own.reduce<Charge | null>(
      (most, charge) =>
        most === null || charge.activationBytes + charge.stagingBytes > most.activationBytes + most.stagingBytes
          ? charge
          : most,
      null,
    );
    const used = {
      weightBytes: sum('weightBytes'),
      conversionBytes: sum('conversionBytes'),
      cacheBytes: sum('cacheBytes'),
      bufferBytes: sum('bufferBytes'),
      activationBytes: top?.activationBytes ?? 0,
      stagingBytes: top?.stagingBytes ?? 0,
      overheadBytes,
      reserveBytes,
    };
    const total = Object.values(used).reduce((a, b) => a + b, 0);
    return { id, name, budgetBytes, ...used, freeBytes: budgetBytes === null ? null : budgetBytes - total };
  };
  return [
    ...gpuIds.map((id, i) => {
      const budget = budgets.gpus.get(id) ?? 0;
      const overhead = Math.min(budget, input.overheads.get(id) ?? 0);
      const reserve = Math.min(budget - overhead, input.reserves.get(id) ?? 0);
      return row(id, gpuAt(machine, i)?.name ?? 'GPU', budget, overhead, reserve);
    }),
    row('cpu', machine.host.name, budgets.ramBytes, 0, 0),
    row('disk', 'disk', budgets.diskBytes, 0, 0),
  ];
}

function gpuAt(machine: MachineProfile, index: number): GpuProfile | undefined {
  return machine.gpus[index] ?? machine.gpus.at(-1);
}

function crossingsOf(profile: ModelProfile, choice: readonly Place[], prices: PriceList): Crossing[] {
  const crossings: Crossing[] = [];
  const position = new Map(profile.blocks.map((block, i) => [block.name, i]));
  for (const [i, block] of profile.blocks.entries()) {
    const place = placeAt(choice, i);
    const previous = profile.blocks[i - 1];
    const add = (from: string, source: Place, timesPerCall: number, latencyMs: number) => {
      if (runsOn(source) === runsOn(place)) return;
      crossings.push({
        from,
        to: block.name,
        fromDevice: runsOn(source),
        toDevice: runsOn(place),
        timesPerCall,
        latencyMs: rounded(latencyMs),
      });
    };
    if (previous !== undefined) {
      const source = placeAt(choice, i - 1);
      const times = previous.runs.reduce((sum, run) => sum + (run.outputElements > 0 ? run.runs : 0), 0);
      add(previous.name, source, times, prices.crossingMs(previous, source, place));
    }
    for (const input of block.extraInputs) {
      const source = placeAt(choice, position.get(input.from) ?? 0);
      add(input.from, source, input.runs, prices.extraInputMs(input, block.elementBytes, source, place));
    }
  }
  return crossings;
}

/** The price of a placement. */
export function costOfChoice(profile: ModelProfile, choice: readonly Place[], prices: PriceList): PlanCost {
  return costOfPlan(profile, choice, prices, crossingsOf(profile, choice, prices));
}

function costOfPlan(
  profile: ModelProfile,
  choice: readonly Place[],
  prices: PriceList,
  crossings: readonly Crossing[],
): PlanCost {
  const byPhase = { image: 0, prompt: 0, token: 0 };
  const busy = new Map<number | 'cpu', number>();
  let streamedBytesPerCall = 0;
  let streamedBytesPerToken = 0;
  for (const [i, block] of profile.blocks.entries()) {
    const place = placeAt(choice, i);
    for (const phase of ['image', 'prompt', 'token'] as const) byPhase[phase] += prices.phaseMs(block, place, phase);
    busy.set(runsOn(place), (busy.get(runsOn(place)) ?? 0) + prices.blockMs(block, place));
    if (place.execution !== 'streamed') continue;
    for (const run of formOf(block, place.scheme).runs) {
      streamedBytesPerCall += run.runs * run.streamedBytes;
      if (run.phase === 'token') streamedBytesPerToken += run.streamedBytes;
    }
  }
  const crossingMs = crossings.reduce((sum, crossing) => sum + crossing.latencyMs, 0);
  return {
    latencyMs: rounded(byPhase.image + byPhase.prompt + byPhase.token + crossingMs),
    imageMs: rounded(byPhase.image),
    promptMs: rounded(byPhase.prompt),
    tokenMs: rounded(byPhase.token),
    crossingMs: rounded(crossingMs),
    busiestMs: rounded(Math.max(0, ...busy.values())),
    streamedBytesPerCall,
    streamedBytesPerToken,
  };
}

function placeAt(choice: readonly Place[], index: number): Place {
  const place = choice[index];
  if (place === undefined) throw new RangeError(`block ${index} has no place`);
  return place;
}

/** Microseconds are below what any prediction means; rounding keeps documents the same on every machine. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
