import type { PlanDocument } from '../../src/planner/plan/plan-document.js';
import { planSummary } from './summary.js';

export const PLAN_FORMATS = ['map', 'json', 'yaml', 'table'] as const;
export type PlanFormat = (typeof PLAN_FORMATS)[number];

/** A plan as text, ending in a newline. The same plan gives the same bytes. */
export async function formatPlan(plan: PlanDocument, format: PlanFormat): Promise<string> {
  switch (format) {
    case 'map':
      return `${JSON.stringify(plan.device_map, null, 2)}\n`;
    case 'json':
      return `${JSON.stringify(plan, null, 2)}\n`;
    case 'yaml': {
      const { dump } = await import('js-yaml');
      return dump(plan, { lineWidth: -1 });
    }
    case 'table':
      return `${planSummary(plan)}\n`;
  }
}
