/** The plan document of a placement, chosen by the solver or written by hand. */
import { found } from '../../../checked-access.js';
import { type QuantScheme, QUANT_SCHEMES } from '../../../tensor/quantized.js';
import { formatSize } from '../../../size.js';
import { inFileNames } from '../../map/file-names.js';
import { emitDeviceMap } from '../../map/emit-device-map.js';
import type { Device, DeviceMap } from '../../map/device-map.js';
import { preparationOf } from '../../price/preparation.js';
import type { Hooked } from '../../price/hooks.js';
import { deviceOfPlace, placedBlocks, runsOn, type Place, type Placed } from '../../price/place.js';
import { formOf, type ModelProfile } from '../../profile/model-profile.js';
import { accuracyPrices, WEIGHT_ERROR, type AccuracyPrices } from '../../price/accuracy.js';
import { weightsOn } from '../../price/memory.js';
import { isWithin, parentOf, pathsAbove } from '../../map/module-paths.js';
import type { PlanContext } from '../request/prepare-plan.js';
import { keptBytesOf, keptNotes, keysOf } from './kept-modules.js';
import { memoryTable } from './memory-table.js';
import { costOfPlan, crossingsOf, rounded } from './plan-cost.js';
import {
  PLAN_SCHEMA,
  type PlanDocument,
  type Placement,
  type SolverReport,
  type AccuracyNote,
} from './plan-document.js';

const NAMED_BY_TENSORS =
  'What stays on the GPU and runs for every token is named tensor by tensor: accelerate would hook each module below a key that ' +
  'is a module, in every call. It warns that such keys match no submodule, and places them all the same.';

const TOOL = { name: 'blip2-device-map', version: '0.1.0' } as const;

export interface BuiltPlan {
  readonly document: PlanDocument;
  readonly map: DeviceMap;
}

/**
 * @param choice a place for every block of the profile
 * @param said what the search says of it; null for a placement that was given
 */
export function buildPlan(context: PlanContext, choice: readonly Place[], said: SolverReport | null): BuiltPlan {
  const { profile } = context;
  const prices = context.predicted.amongst(choice);
  const weighed = context.prices.amongst(choice);
  const placed = placedBlocks(profile, choice);
  const preparation = preparationOf(profile.engine, placed, context.convertedBytes);
  const { map: loadedMap, apart } = mapOf(profile, placed, prices.hooked);
  const map = profile.fileNames === undefined ? loadedMap : inFileNames(loadedMap, profile.fileNames);
  const placements = placed.map(({ block, place }): Placement => {
    const keptBytes = keptBytesOf(block, place);
    return {
      block: block.name,
      phase: block.phase,
      device: deviceOfPlace(place),
      weightsOn: weightsOn(block, place),
      execution: place.execution,
      runsOn: runsOn(place),
      weightBytes: formOf(block, place.scheme).weightBytes,
      ...(keptBytes === 0 ? {} : { keptBytes }),
      latencyMs: rounded(prices.blockMs(block, place)),
    };
  });
  const crossings = crossingsOf(placed, prices);
  const quant = quantOf(placed);
  const cost = costOfPlan(placed, prices, crossings);
  const solver = said ?? { status: 'given', objective: 'latency', boundMs: cost.latencyMs, gap: 0 };
  const document: PlanDocument = {
    schema: PLAN_SCHEMA,
    tool: TOOL,
    checkpoint: context.checkpoint,
    ...(profile.model === undefined ? {} : { model: profile.model }),
    engine: profile.engine,
    dtype: profile.dtype,
    dtypes: Object.fromEntries(context.dtypes),
    quant: Object.fromEntries(quant),
    accuracy: accuracyNotes(placed, accuracyPrices(profile, context.budgets.gpus.keys(), weighed), quant),
    workload: profile.workload,
    countContext: context.countContext,
    ...(context.pageLocked ? { pageLocked: true } : {}),
    devices: memoryTable(context, placed),
    device_map: Object.fromEntries(map),
    placements,
    crossings,
    cost: { ...cost, firstCaptionMs: rounded(cost.latencyMs + 1000 * preparation.seconds) },
    solver: {
      objective: solver.objective,
      status: solver.status,
      boundMs: rounded(solver.boundMs),
      gap: Number(solver.gap.toPrecision(3)),
    },
    assumptions: [
      ...profile.assumptions,
      ...context.assumptions,
      ...lookedUp(placements),
      ...(apart.size === 0 ? [] : [NAMED_BY_TENSORS]),
      ...keptNotes(placed),
      ...preparation.notes,
    ],
    warnings: [
      ...profile.warnings,
      ...(solver.objective === 'fewest-devices' ? [] : idleGpus(context, solver, placements)),
    ],
  };
  return { document, map };
}

/** Block -> what its weights are stored as, where they are not floats. */
function quantOf(placed: readonly Placed[]): Map<string, QuantScheme> {
  const schemes = placed.flatMap(({ block, place }) => {
    const { scheme } = formOf(block, place.scheme);
    return scheme === null ? [] : [[block.name, scheme] as const];
  });
  return new Map(schemes);
}

/** Tables are no GPU's memory although the map sends them there with the rest. */
function lookedUp(placements: readonly Placement[]): string[] {
  const bytes = placements.reduce((sum, each) => sum + (each.weightsOn === each.device ? 0 : each.weightBytes), 0);
  return bytes === 0
    ? []
    : [`Rows of tables (${formatSize(bytes)}) are looked up in host memory, whatever the map says.`];
}

/** A GPU that stands by while weights lie elsewhere is a surprise worth a sentence. */
function idleGpus({ budgets, profile }: PlanContext, solver: SolverReport, placements: readonly Placement[]): string[] {
  if (placements.every(({ execution }) => execution === 'resident')) return [];
  const busy = new Set(placements.map(({ runsOn: device }) => device));
  const leaf = Math.max(...profile.blocks.map((block) => block.largestLeafBytes));
  return [...budgets.gpus]
    .filter(([id, bytes]) => bytes > 0 && !busy.has(id))
    .map(([id, bytes]) => {
      if (solver.status === 'given') return `GPU ${id} is not used by this map.`;
      return profile.engine === 'transformers' && bytes < leaf
        ? `GPU ${id} is not used: its ${formatSize(bytes)} cannot take the largest module that would be streamed to it (${formatSize(leaf)}).`
        : `GPU ${id} is not used: every placement with it is predicted to be slower, or does not fit.`;
    });
}

/**
 * Every block, and every alias that loading needs a key for, merged into the shortest safe map; tensor by tensor where hooks
 * are spared in a map that has hooks.
 */
function mapOf(
  profile: ModelProfile,
  placed: readonly Placed[],
  hooked: Hooked,
): { map: DeviceMap; apart: ReadonlySet<string> } {
  const leaves = new Map<string, Device>();
  const tensors: string[] = [];
  const apart = new Set<string>();
  const placeOf = new Map(placed.map(({ block, place }) => [block.name, place]));
  const hasHooks = placed.some(({ block, place }) => hooked(block, place));
  const parents = pathsAbove(placeOf.keys());
  for (const { block, place } of placed) {
    const device = deviceOfPlace(place);
    // A tied table may be stored under another module's name; that module has a key of its own.
    const own = block.tensors.filter((tensor) => isWithin(tensor, block.name));
    if (hasHooks && !hooked(block, place)) {
      for (const tensor of own) {
        leaves.set(tensor, device);
        apart.add(tensor);
      }
      continue;
    }
    // A key for it would claim what is below it and elsewhere.
    const keys = parents.has(block.name)
      ? own.map((tensor): [string, Device] => [parentOf(tensor), device])
      : keysOf(block, place);
    for (const [key, home] of keys) leaves.set(key, home);
    tensors.push(...own);
  }
  for (const [alias, block] of profile.aliases) {
    const place = placeOf.get(block);
    if (place !== undefined) leaves.set(alias, deviceOfPlace(place));
  }
  const beside = [...(profile.besideBlocks ?? []), ...(profile.frequencies ?? []), ...(profile.lackingKeys ?? [])];
  for (const [key, block] of beside) leaves.set(key, deviceOfPlace(found(placeOf, block)));
  const map = new Map(emitDeviceMap(leaves, [...tensors, ...leaves.keys()], apart));
  // Where no key above brings them, nothing copies them for a call: they are where it runs.
  for (const [key, block] of beside) {
    const place = found(placeOf, block);
    if (map.has(key) && place.execution !== 'host') map.set(key, place.gpu);
  }
  return { map, apart };
}

/** What a plan says about its quantised blocks, scheme by scheme. */
function accuracyNotes(
  placed: readonly Placed[],
  charged: AccuracyPrices,
  schemes: ReadonlyMap<string, QuantScheme>,
): AccuracyNote[] {
  return QUANT_SCHEMES.flatMap((scheme) => {
    const blocks = [...schemes.values()].filter((each) => each === scheme).length;
    if (blocks === 0) return [];
    const priceMs = placed
      .filter(({ place }) => place.scheme === scheme)
      .reduce((sum, { block, place }) => sum + charged(block, place), 0);
    return [{ scheme, blocks, weightError: WEIGHT_ERROR[scheme], priceMs: rounded(priceMs) }];
  });
}
