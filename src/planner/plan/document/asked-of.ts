import type { PlanOptions } from '../request/plan-options.js';
import type { PlanDocument } from './plan-document.js';

/** What a plan's blocks were counted by, as options for the same checkpoint. */
export function askedOf({ engine, dtype, dtypes, quant }: PlanDocument) {
  const allowQuant = [...new Set(Object.values(quant))];
  return { engine, dtype, dtypes: new Map(Object.entries(dtypes)), allowQuant } satisfies Partial<PlanOptions>;
}
