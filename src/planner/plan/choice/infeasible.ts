/** Why nothing fits, and what would: deficits, and remedies, each of them tried. */
import { found } from '../../../checked-access.js';
import type { Device } from '../../map/device-map.js';
import { exactSize } from '../../../size.js';
import { solveExact } from '../../solve/exact.js';
import { costOf, withoutCosts, type Problem } from '../../solve/problem.js';
import { scarceResources } from '../../solve/resources.js';
import { countProgram } from '../../solve/program/count-program.js';
import type { IntegerSolver } from '../../solve/program/integer-program.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { QUANT_SCHEMES } from '../../../tensor/quantized.js';
import { gpuCacheBytes, type ProfileBlock } from '../../profile/model-profile.js';
import type { Budgets } from '../request/budgets.js';
import { casesOf } from './cases.js';
import { choosePlaces } from './choose-places.js';
import { gpuShares, preparePlan, type PlanContext } from '../request/prepare-plan.js';
import type { PlanOptions } from '../request/plan-options.js';

const MIB = 2 ** 20;
/** A remedy's latency is for orientation. */
const ROUGH = { effort: 60_000, width: 256 } as const;
/** Simplex iterations times columns: about a second. */
const FIT_WORK = 5e6;

/** What a device offers, before anything is placed on it. */
export interface DeviceShare {
  readonly id: Device;
  /** null where no limit was set. */
  readonly budgetBytes: number | null;
  /** Taken by the engine itself, whatever is placed there. */
  readonly overheadBytes: number;
  /** Left free on request. */
  readonly reserveBytes: number;
}

/** One change that makes a plan possible, all else as asked. */
export interface Remedy {
  readonly kind: 'budget' | 'dtype' | 'quant' | 'batch' | 'beams';
  /** What to type. */
  readonly flag: string;
  /** Bytes more than were offered; 0 where no budget changes. */
  readonly addedBytes: number;
  /** Predicted latency with it, for orientation; null where a quick search found no plan. */
  readonly latencyMs: number | null;
}

/** "Does not fit", as an answer: what is short, and what was tried that would help. */
export interface Infeasible {
  readonly status: 'infeasible';
  /** Whether nothing fits for certain; false where the search ended before it found a placement. */
  readonly proven: boolean;
  /** Weights and caches of the whole model, whatever runs where, at the smallest that the request allows. */
  readonly neededBytes: number;
  /** What the block that works on most has beside them while it runs. */
  readonly activationBytes: number;
  /** What the devices offer together after reserves; null where RAM is not limited. */
  readonly offeredBytes: number | null;
  readonly shortBytes: number;
  readonly devices: readonly DeviceShare[];
  /** Changes of the request first (they cost nothing), then budgets, the smallest addition first. */
  readonly remedies: readonly Remedy[];
}

export function explainInfeasible(
  context: PlanContext,
  tensors: TensorTable,
  options: PlanOptions,
  proven: boolean,
): Infeasible {
  const { budgets, profile } = context;
  const cacheBytes = profile.blocks.reduce((sum, block) => sum + gpuCacheBytes(block), 0);
  const neededBytes = profile.blocks.reduce((sum, block) => sum + smallestBytes(block), cacheBytes);
  const shares = gpuShares(context);
  const offeredBytes =
    budgets.ramBytes === null
      ? null
      : shares.reduce((sum, { roomBytes }) => sum + roomBytes, budgets.ramBytes + budgets.diskBytes);
  const [largest] = shares.toSorted((a, b) => b.budgetBytes - a.budgetBytes);
  // Remedies for what may be no ailment would mislead.
  const explain = proven && options.explain !== false;
  const growable: Device[] = !explain
    ? []
    : [...(largest === undefined ? [] : [largest.id]), 'cpu', ...(budgets.diskBytes > 0 ? ['disk' as const] : [])];
  const larger = growable
    .flatMap((device) => budgetRemedy(context, device, options.integerSolver) ?? [])
    .sort((a, b) => a.addedBytes - b.addedBytes);
  return {
    status: 'infeasible',
    proven,
    neededBytes,
    activationBytes: Math.max(0, ...profile.blocks.map((block) => block.activationElements * block.elementBytes)),
    offeredBytes,
    shortBytes: offeredBytes === null ? 0 : Math.max(0, neededBytes - offeredBytes),
    devices: [
      ...shares.map(({ roomBytes: _room, ...share }) => share),
      { id: 'cpu', budgetBytes: budgets.ramBytes, overheadBytes: 0, reserveBytes: 0 },
      { id: 'disk', budgetBytes: budgets.diskBytes, overheadBytes: 0, reserveBytes: 0 },
    ],
    remedies: [...(explain ? requestRemedies(tensors, options, context) : []), ...larger],
  };
}

/** A lighter request: half-precision without exceptions, quantised weights, fewer pictures at a time, fewer beams. */
function requestRemedies(tensors: TensorTable, options: PlanOptions, { profile }: PlanContext): Remedy[] {
  const { batch, beams } = profile.workload;
  const tries: { kind: Remedy['kind']; flag: string; change: Partial<PlanOptions> }[] = [];
  if (profile.dtype !== 'bfloat16')
    tries.push({ kind: 'dtype', flag: '--dtype bfloat16', change: { dtype: 'bfloat16' } });
  const untried = QUANT_SCHEMES.filter((scheme) => options.allowQuant?.includes(scheme) !== true);
  if (profile.blocks.some((block) => block.lookUp !== null)) {
    for (const scheme of untried) {
      const allowQuant = [...(options.allowQuant ?? []), scheme];
      tries.push({ kind: 'quant', flag: `--allow-quant ${allowQuant.join(',')}`, change: { allowQuant } });
    }
  }
  for (let fewer = Math.floor(batch / 2); fewer >= 1; fewer = Math.floor(fewer / 2)) {
    tries.push({
      kind: 'batch',
      flag: `--batch ${fewer}`,
      change: { workload: { ...profile.workload, batch: fewer } },
    });
  }
  if (beams > 1)
    tries.push({ kind: 'beams', flag: '--beams 1', change: { workload: { ...profile.workload, beams: 1 } } });
  const remedies: Remedy[] = [];
  for (const { kind, flag, change } of tries) {
    if (remedies.some((remedy) => remedy.kind === kind)) continue;
    const changed = preparePlan(tensors, { ...options, ...change });
    if (!fits(changed, options.integerSolver)) continue;
    remedies.push({ kind, flag, addedBytes: 0, latencyMs: roughMs(changed) });
  }
  return remedies;
}

/** Predicted latency by a quick search; null where it finds no placement. */
function roughMs(context: PlanContext): number | null {
  const answer = choosePlaces(context, ROUGH);
  return answer.status === 'none' ? null : answer.cost;
}

/** Bytes of a block's weights in its smallest form. */
function smallestBytes(block: ProfileBlock): number {
  return Math.min(block.weightBytes, ...[...block.forms.values()].map((form) => form.weightBytes));
}

function budgetRemedy(context: PlanContext, device: Device, solver: IntegerSolver | undefined): Remedy | null {
  const now = budgetOf(context.budgets, device);
  const enough = now === null ? null : smallestBudget(context, device, now, solver);
  if (now === null || enough === null) return null;
  const name = device === 'cpu' ? '--ram' : device === 'disk' ? '--disk' : '--vram';
  return {
    kind: 'budget',
    flag: `${name} ${exactSize(enough)}`,
    addedBytes: enough - now,
    latencyMs: roughMs(withBudget(context, device, enough)),
  };
}

/**
 * Close to the least bytes on one device with which a plan is found: to the MiB, or to 1/1000 of large budgets. null where
 * no amount helps.
 */
function smallestBudget(
  context: PlanContext,
  device: Device,
  from: number,
  solver: IntegerSolver | undefined,
): number | null {
  let low = Math.ceil(from / MIB) - 1;
  // Nothing ever takes more than every weight in float32, all caches, and all peaks at once.
  const most =
    from +
    context.profile.blocks.reduce(
      (sum, block) =>
        sum + block.float32Bytes + 4 * (block.cacheElements + block.activationElements) + 2 * block.largestLeafBytes,
      0,
    );
  let high = Math.ceil(most / MIB);
  if (!fits(withBudget(context, device, high * MIB), solver)) return null;
  while (high - low > Math.max(1, high / 1000)) {
    const middle = Math.floor((low + high) / 2);
    if (fits(withBudget(context, device, middle * MIB), solver)) high = middle;
    else low = middle;
  }
  return high * MIB;
}

/**
 * Whether a placement that fits is found: the same problem without costs. With several memories that can be full an integer solver
 * says so sooner and for certain, where there is one; the walk may miss one that leaves hardly any room.
 */
export function fits(context: PlanContext, integerSolver?: IntegerSolver): boolean {
  return casesOf(context).some(({ problem, bound }) => {
    if (bound === Infinity) return false;
    const free = withoutCosts(problem);
    const said =
      integerSolver !== undefined && scarceResources(free).length > 1 ? fitsProgram(free, integerSolver) : null;
    return said ?? solveExact(free, { cutoff: 1e-6, effort: 200_000, width: 512 }).solution !== null;
  });
}

/** null where the integer solver does not say. */
function fitsProgram(problem: Problem, solver: IntegerSolver): boolean | null {
  const program = countProgram(problem, { order: 'kinds' });
  if (program === null) return null;
  const iterations = Math.ceil(FIT_WORK / program.program.columns.length);
  const { values, bound } = solver(program.program, { cutoff: Infinity, iterations, stop: () => false });
  if (values === null) return bound === Infinity ? false : null;
  return costOf(problem, program.choiceOf(values)) < Infinity ? true : null;
}

function withBudget(context: PlanContext, device: Device, bytes: number): PlanContext {
  const { budgets } = context;
  if (device === 'cpu') return { ...context, budgets: { ...budgets, ramBytes: bytes } };
  if (device === 'disk') return { ...context, budgets: { ...budgets, diskBytes: bytes } };
  return { ...context, budgets: { ...budgets, gpus: new Map([...budgets.gpus, [device, bytes]]) } };
}

function budgetOf(budgets: Budgets, device: Device): number | null {
  if (device === 'cpu') return budgets.ramBytes;
  return device === 'disk' ? budgets.diskBytes : found(budgets.gpus, device);
}
