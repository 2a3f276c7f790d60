import { readFile } from 'node:fs/promises';
import { Blip2Error } from '../../src/errors.js';
import type { Checkpoint } from '../../src/loader/checkpoint/checkpoint.js';
import { checkpointFingerprint } from '../../src/loader/checkpoint/fingerprint.js';
import type { DeviceMap } from '../../src/planner/map/device-map.js';
import { planDeviceMap } from '../../src/planner/plan/plan-device-map.js';
import { readPlan } from '../../src/planner/plan/read-plan.js';
import { parseSize } from '../../src/planner/size.js';
import { usageError } from '../common/main.js';
import { readBudgets } from '../common/plan-options.js';
import { infeasibleSummary, planSummary } from '../plan/summary.js';

export interface MapArgs {
  readonly plan?: string | undefined;
  readonly vram?: string[] | undefined;
  readonly ram?: string | undefined;
  readonly disk?: string | undefined;
  readonly reserve?: string | undefined;
  readonly 'emulate-gpu'?: boolean | undefined;
}

/** The map to run: the one given, one planned for the budgets, or none, which leaves the choice to the provider. */
export async function chooseMap(
  args: MapArgs,
  checkpoint: Checkpoint,
  say: (text: string) => void,
): Promise<DeviceMap | undefined> {
  if (args.plan !== undefined) return givenMap(args.plan, checkpoint);
  return args.vram === undefined && args.ram === undefined ? undefined : plannedMap(args, checkpoint, say);
}

function plannedMap(args: MapArgs, checkpoint: Checkpoint, say: (text: string) => void): DeviceMap {
  const result = planDeviceMap(checkpoint.tensors, {
    config: checkpoint.config,
    budgets: readBudgets(args),
    // What a real driver takes comes out of the budget; an emulated GPU has none.
    countContext: args['emulate-gpu'] !== true,
    ...(args.reserve === undefined ? {} : { reserveBytes: parseSize(args.reserve) }),
  });
  if (result.status === 'infeasible') {
    const { message, hint } = infeasibleSummary(result);
    throw new Blip2Error('DOES_NOT_FIT', message, { hint, details: { ...result } });
  }
  say(planSummary(result.plan));
  return result.map;
}

async function givenMap(path: string, checkpoint: Checkpoint): Promise<DeviceMap> {
  const { map, fingerprint } = readPlan(parseJson(path, await readText(path)));
  if (fingerprint !== null && fingerprint !== checkpointFingerprint(checkpoint)) {
    throw new Blip2Error('PLAN_MISMATCH', `${path} was made for another checkpoint than ${checkpoint.folder}`, {
      hint: `Plan again: blip2-plan ${checkpoint.folder} --vram <size> > ${path}`,
    });
  }
  return map;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw usageError(`the plan ${path} cannot be read: ${reason}`);
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Blip2Error(
      'PLAN_INVALID',
      `${path} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
