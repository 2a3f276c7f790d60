import { formatMs } from '../../../src/planner/report/format-ms.js';
import type { PageState } from '../state/page-state.js';

/** Where the answer is below what is asked: what it is, in view while a slider moves, and the way to it. */
export function Glance({ state: { shown, fault, model } }: { state: PageState }) {
  const isFault = fault !== null || model.status === 'failed';
  return (
    <button
      type="button"
      class="glance"
      onClick={() => document.querySelector('.answer')?.scrollIntoView({ block: 'start' })}
    >
      <span>{isFault ? 'No plan' : shown === null ? 'Planning…' : inShort(shown.answer)}</span>
      <span aria-hidden="true">↓</span>
    </button>
  );
}

function inShort(answer: NonNullable<PageState['shown']>['answer']): string {
  if (answer.status === 'infeasible') return 'Does not fit';
  return `Fits: ${formatMs(answer.plan.cost.latencyMs)}`;
}
