import {
  Blip2Error,
  explainMap,
  formatSize,
  type PlanDocument,
  type PlanOptions,
  sweepBudgets,
  type SweepPoint,
  type SweepRange,
  transformersStrategy,
} from '../../src/planner/index.js';
import { storedDtype } from '../../src/planner/models/stored-dtype.js';
import { deviceName } from '../../src/planner/report/picture-data.js';
import { doesNotFit } from '../../src/planner/report/does-not-fit.js';
import { usageError } from '../common/main.js';
import { requireBudget } from './cards.js';
import { formatPlan, type PlanFormat } from './format-plan.js';
import { planRequest, readRequest, tellRequest, type PlanRequest } from './plan-request.js';
import type { RequestArgs } from './request-flags.js';

export const STRATEGIES = ['auto', 'balanced', 'sequential'] as const;

export interface PlanArgs extends RequestArgs {
  readonly strategy: (typeof STRATEGIES)[number];
}

export interface MadePlan {
  readonly plan: PlanDocument;
  /** The plan in the format that was asked for. */
  readonly text: string;
  readonly request: PlanRequest;
  /** What other budgets would give, where that was asked. */
  readonly sweep: readonly SweepPoint[] | null;
}

/** The plan that the flags ask for. What its reader should know of the checkpoint is said on stderr at once. */
export async function makePlan(args: PlanArgs, format: PlanFormat, range: SweepRange | null): Promise<MadePlan> {
  requireBudget(args);
  if (format === 'python' && args.names === 'file')
    throw usageError('Python for transformers wants the names of the loaded model', 'Leave --names file out.');
  if (args.batch === 'auto' && args.strategy !== 'auto') {
    throw usageError(
      '--batch auto chooses a plan of ours for stated memory',
      'Give a number of pictures, or --vram without --strategy.',
    );
  }
  if (args['allow-quant'] !== undefined && args.strategy !== 'auto') {
    throw usageError(
      `--strategy ${args.strategy} is what transformers would answer, and --allow-quant is for plans of ours`,
      'Leave one of them out.',
    );
  }
  const request = await readRequest(args, format === 'python' ? 'transformers' : 'blip2-run');
  const { tensors, options } = request;
  tellRequest(request, args.quiet);
  const result = args.strategy === 'auto' ? planRequest(request) : theirPlan(tensors, options, args.strategy);
  if (result.status === 'infeasible') throw doesNotFit(result);
  const { plan } = result;
  const sweep = range === null ? null : sweepBudgets(tensors, { ...options, workload: plan.workload }, range);
  const text = await formatPlan(plan, format, { request, args, ...(sweep === null ? {} : { sweep }) });
  return { plan, text, request, sweep };
}

/** The map of transformers as a plan of ours: priced, and with a warning where it exceeds what it was made for or fails. */
function theirPlan(
  tensors: PlanRequest['tensors'],
  options: PlanOptions,
  strategy: 'balanced' | 'sequential',
): { status: 'fits'; plan: PlanDocument } {
  const { config, budgets, models } = options;
  const dtype = options.dtype ?? (models === undefined ? 'float16' : storedDtype(config, tensors));
  const map = transformersStrategy({ tensors, config, budgets, dtype, strategy, models });
  const { plan, overBudget, issues } = explainMap(map, tensors, options);
  if (plan === null) throw new Blip2Error('PLAN_INVALID', `The ${strategy} map leaves a block without a device.`);
  const over = overBudget.map(({ device, bytes }) => `${deviceName(device)} is ${formatSize(bytes)} over its budget.`);
  const warnings = [...plan.warnings, ...issues.map(({ message }) => message), ...over];
  return { status: 'fits', plan: { ...plan, warnings } };
}
