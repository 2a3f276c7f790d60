import { storedDtype } from '../../../src/planner/models/stored-dtype.js';
import { explainMap } from '../../../src/planner/plan/comparison/explain-map.js';
import type { PlanOptions } from '../../../src/planner/plan/request/plan-options.js';
import { transformersStrategy } from '../../../src/planner/plan/comparison/transformers-strategy.js';
import type { TensorInfo } from '../../../src/tensor/tensor-info.js';
import type { AutoAnswer } from './messages.js';

/** transformers' own map (`device_map="auto"`), priced as `blip2-plan --strategy balanced` prices it. */
export function autoPlan(tensors: ReadonlyMap<string, TensorInfo>, options: PlanOptions): AutoAnswer | null {
  const { config, budgets, models } = options;
  const dtype = options.dtype ?? (models === undefined ? 'float16' : storedDtype(config, tensors));
  const map = transformersStrategy({ tensors, config, budgets, dtype, strategy: 'balanced', models });
  const { plan, overBudget } = explainMap(map, tensors, options);
  return plan === null ? null : { plan, overBudget };
}
