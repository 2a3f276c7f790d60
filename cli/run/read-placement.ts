import { type Budgets, type DeviceMap, parseSize, type PlanDocument } from '../../src/planner/index.js';
import type { PlacementOptions, PlanningOptions } from '../../src/runtime/index.js';
import { usageError } from '../common/main.js';
import { machineProfile, wantsEstimates } from '../common/machine-profile.js';
import { readMap } from '../common/read-map.js';
import { type BudgetArgs, readAllowQuant, readBudgets } from '../common/plan-options.js';

export interface PlacementArgs extends BudgetArgs {
  readonly plan?: string | undefined;
  readonly provider: string;
  readonly 'emulate-gpu'?: boolean | undefined;
}

/** Of a card's free memory, what is planned with where nobody says how much: others may want some. */
const OFFERED_PART = 0.95;

/**
 * A plan or map from a file, budgets, or neither: then a CUDA card where there is one, unless a provider is named, and else the
 * CPU. Quantising is the planner's choice and needs a plan.
 * @param freeCardBytes of the first CUDA card; null where there is none
 */
export async function readPlacement(
  asked: PlacementArgs,
  planning: (budgets: Budgets) => Promise<Pick<PlanningOptions, 'workload' | 'batches'>>,
  freeCardBytes: () => Promise<number | null> = firstCardBytes,
): Promise<PlacementOptions> {
  if (asked.plan !== undefined) return { plan: await readPlanFile(asked.plan) };
  const isUnsaid = [asked.vram, asked.ram, asked.disk, asked.reserve].every((size) => size === undefined);
  const free = isUnsaid && asked.provider === 'auto' && asked['emulate-gpu'] !== true ? await freeCardBytes() : null;
  const args = free === null ? asked : { ...asked, vram: [String(Math.floor(OFFERED_PART * free))] };
  const allowQuant = readAllowQuant(args['allow-quant']);
  if (args.vram === undefined && args.ram === undefined && allowQuant.length === 0) {
    if (args.disk === undefined && args.reserve === undefined) return {};
    throw usageError('--disk and --reserve are parts of a budget, and none is given', 'Add --vram or --ram.');
  }
  if (args.vram === undefined && (args.provider === 'cuda' || args.provider === 'webgpu')) {
    throw usageError(
      `--provider ${args.provider} with --ram or --allow-quant needs the memory of the GPU`,
      'Add --vram.',
    );
  }
  const machine = await machineProfile(undefined);
  const budgets = readBudgets(args);
  return {
    budgets,
    planning: {
      ...(machine === null ? { measure: !wantsEstimates() } : { machine }),
      ...(await planning(budgets)),
      ...(args.reserve === undefined ? {} : { reserveBytes: parseSize(args.reserve) }),
      allowQuant,
    },
  };
}

async function firstCardBytes(): Promise<number | null> {
  const { freeCudaBytes, hasCuda } = await import('../../src/runtime/device/cuda-provider.js');
  return hasCuda() ? freeCudaBytes(0) : null;
}

async function readPlanFile(path: string): Promise<PlanDocument | DeviceMap> {
  const json = await readMap(path);
  if (typeof json === 'object' && json !== null && 'schema' in json) {
    const { parsePlan } = await import('../../src/planner/plan/document/plan-document.js');
    return parsePlan(json);
  }
  const { parseDeviceMap } = await import('../../src/planner/map/parse-device-map.js');
  return parseDeviceMap(json);
}
