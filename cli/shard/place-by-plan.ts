/** A plan as the splitter needs it: a device and a dtype for every tensor. */
import * as z from 'zod';
import { deviceOf, type DeviceMap, LOAD_DTYPES, type LoadDtype, type QuantScheme } from '../../src/planner/index.js';
import { type Checkpoint, type FloatDtype, isFloatDtype } from '../../src/loader/index.js';
import { longestPrefix } from '../../src/planner/map/longest-prefix.js';
import { pathsAbove } from '../../src/planner/map/module-paths.js';
import { readPlan } from '../../src/planner/plan/document/read-plan.js';
import { loadedDtype, type DtypeRules } from '../../src/planner/profile/loaded-dtype.js';
import type { Dtype } from '../../src/tensor/dtype.js';
import { packedParts } from '../../src/tensor/packed-weights.js';
import { usageError } from '../common/main.js';
import { familyOf } from './config-dtype.js';
import { parseDtype } from './shard-options.js';

export interface TensorPlacement {
  readonly deviceOf: (name: string) => string;
  /** A bare device map keeps what is stored. */
  readonly dtypeOf: (name: string, stored: Dtype) => Dtype;
  /** Block -> what its weights become. */
  readonly quant: ReadonlyMap<string, QuantScheme>;
  /** Keys of the map that are in no tensor's name. */
  readonly strayKeys: readonly string[];
  /** What config.json is to say; null where it keeps what it said. */
  readonly dtype: FloatDtype | null;
}

/** The part of a plan document that says in which dtype a block is used. */
const dtypesSchema = z.object({
  dtype: z.enum(LOAD_DTYPES),
  dtypes: z.record(z.string(), z.enum(LOAD_DTYPES)),
  placements: z.array(z.object({ block: z.string(), runsOn: z.union([z.number(), z.literal('cpu')]) })),
});

/** @throws Blip2Error `USAGE` where the map leaves a tensor out, and those of `readPlan`. */
export function placeByPlan(
  json: unknown,
  { tensors, config }: Pick<Checkpoint, 'tensors' | 'config'>,
): TensorPlacement {
  const { map, quant } = readPlan(json);
  const placed = (name: string): string => {
    const device = deviceOf(map, name);
    if (device !== undefined) return String(device);
    throw usageError(`the device map has no device for "${name}"`, 'Add its module, or "" for everything else.');
  };
  // Before anything is written: a map that leaves a tensor out is refused as a whole.
  for (const name of tensors.keys()) placed(name);
  const plan = dtypesSchema.safeParse(json);
  return {
    deviceOf: placed,
    dtypeOf: plan.success ? plannedDtypes(plan.data, familyOf(config), tensors) : (_, stored) => stored,
    quant,
    strayKeys: strayKeys(map, [...tensors.keys()]),
    dtype: plan.success ? parseDtype(plan.data.dtype) : null,
  };
}

/** Slips, modules without tensors, or the names of a loaded model where the file has others. */
function strayKeys(map: DeviceMap, names: readonly string[]): string[] {
  const known = new Set(['', ...names, ...pathsAbove(names)]);
  return [...map.keys()].filter((key) => !known.has(key));
}

function plannedDtypes(
  { dtype, dtypes, placements }: z.infer<typeof dtypesSchema>,
  blip2: DtypeRules['blip2'],
  tensors: Checkpoint['tensors'],
): (name: string, stored: Dtype) => Dtype {
  const overrides = new Map<string, LoadDtype>(Object.entries(dtypes));
  const runsOn = new Map(placements.map((placement) => [placement.block, placement.runsOn]));
  // The scales of weights that are quantised already belong to their integers.
  const isPacked = packedParts(tensors);
  return (name, stored) => {
    if (!isFloatDtype(stored) || isPacked(name)) return stored;
    // The CPU computes in float32; half-precision weights there would be converted at every start.
    if (longestPrefix(runsOn, name) === 'cpu') return 'F32';
    return loadedDtype(name, stored, { dtype, overrides, blip2 });
  };
}
