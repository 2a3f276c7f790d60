import { Blip2Error } from '../../../src/errors.js';
import { storedDtype } from '../../../src/planner/models/stored-dtype.js';
import { explainMap } from '../../../src/planner/plan/comparison/explain-map.js';
import type { PlanOptions } from '../../../src/planner/plan/request/plan-options.js';
import { transformersStrategy } from '../../../src/planner/plan/comparison/transformers-strategy.js';
import type { TensorInfo } from '../../../src/tensor/tensor-info.js';
import type { AutoAnswer } from './messages.js';

/** transformers' own map (`device_map="auto"`), priced as `blip2-plan --strategy balanced` prices it. */
export function autoPlan(tensors: ReadonlyMap<string, TensorInfo>, options: PlanOptions): AutoAnswer {
  try {
    return priced(tensors, options);
  } catch (error) {
    // The plan is none the worse for it: of classes that it does not know, nobody knows what transformers would do.
    if (error instanceof Blip2Error) return { status: 'unknown', why: error.message };
    throw error;
  }
}

function priced(tensors: ReadonlyMap<string, TensorInfo>, options: PlanOptions): AutoAnswer {
  const { config, budgets, models } = options;
  const dtype = options.dtype ?? (models === undefined ? 'float16' : storedDtype(config, tensors));
  const map = transformersStrategy({ tensors, config, budgets, dtype, strategy: 'balanced', models });
  const { plan, overBudget } = explainMap(map, tensors, options);
  if (plan === null) return { status: 'unknown', why: 'auto leaves a block without a device.' };
  return { status: 'priced', plan, overBudget };
}
