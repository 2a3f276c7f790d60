import { formatMs } from '../../../src/planner/report/format-ms.js';
import type { PageState } from '../state/page-state.js';

/** What a screen reader says when an answer comes. */
export function Status({ state }: { state: PageState }) {
  return (
    <p class="visually-hidden" role="status" data-standing={standingOf(state)}>
      {sentence(state)}
    </p>
  );
}

/** `final` once the answer is the command's. */
function standingOf({ shown, fault, model, isSearching }: PageState): string {
  if (fault !== null || model.status === 'failed') return 'fault';
  return isSearching || shown === null ? 'searching' : shown.standing;
}

function sentence({ shown, fault, model, isSearching }: PageState): string {
  if (model.status === 'failed') return model.fault.message;
  if (fault !== null) return fault.message;
  if (isSearching || shown === null) return 'Planning.';
  const { answer } = shown;
  return answer.status === 'fits' ? `It fits: ${formatMs(answer.plan.cost.latencyMs)} a call.` : 'It does not fit.';
}
