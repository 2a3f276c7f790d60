import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import { formatMs } from '../../../src/planner/report/format-ms.js';
import { deviceName } from '../../../src/planner/report/picture-data.js';
import { formatSize } from '../../../src/size.js';
import type { Settings } from '../settings/settings.js';
import type { PageState, ShownAnswer } from '../state/page-state.js';
import { Card } from './card.js';

interface VerdictProps {
  readonly plan: PlanDocument;
  readonly shown: ShownAnswer;
  readonly state: PageState;
  readonly warnings: readonly string[];
  readonly onChange: (change: Partial<Settings>) => void;
}

/** The answer in a sentence: it fits, and takes so long. */
export function Verdict({ plan, shown, state, warnings, onChange }: VerdictProps) {
  const { cost, workload } = plan;
  const over = overBudget(plan);
  const isSearching = state.isSearching || shown.standing !== 'final';
  const perSecond = (1000 * workload.batch) / cost.latencyMs;
  const one =
    plan.model === undefined ? (workload.batch === 1 ? 'a caption' : `for ${workload.batch} pictures`) : 'a call';
  return (
    <Card title={`${plan.checkpoint.id || 'The model'} ${over.length === 0 ? 'fits' : 'does not fit'}`} isMain>
      <p class={isSearching ? 'time searching' : 'time'}>
        <strong>{formatMs(cost.latencyMs)}</strong> <span>{one}</span>
        {cost.rangeMs !== undefined && (
          <span class="range">
            between {formatMs(cost.rangeMs.least)} and {formatMs(cost.rangeMs.most)}
          </span>
        )}
      </p>
      {cost.rangeMs !== undefined && (
        <ErrorBar
          latencyMs={cost.latencyMs}
          rangeMs={cost.rangeMs}
          measuredMs={state.measured === null ? null : state.measured.latencyMs}
        />
      )}
      <dl class="facts">
        {(plan.model === undefined || cost.imageMs > 0) && <Fact name="pictures" value={formatMs(cost.imageMs)} />}
        <Fact name="prompt" value={formatMs(cost.promptMs)} />
        <Fact name="tokens" value={formatMs(cost.tokenMs)} />
        <Fact name="crossings" value={formatMs(cost.crossingMs)} />
        <Fact name="streamed a call" value={formatSize(cost.streamedBytesPerCall)} />
        {workload.batch > 1 && <Fact name="a second" value={perSecond.toPrecision(3)} />}
        {(cost.firstCaptionMs ?? 0) > 1.01 * cost.latencyMs && (
          <Fact name="the first" value={formatMs(cost.firstCaptionMs ?? 0)} />
        )}
      </dl>
      <p class="proof">{isSearching ? 'Searching for a faster placement…' : proof(plan)}</p>
      {!isSearching &&
        plan.solver.status === 'stopped' &&
        plan.solver.gap > 0.0005 &&
        state.settings.searchSeconds === null && (
          <button type="button" onClick={() => onChange({ searchSeconds: 10 })}>
            Search on, up to 10 s
          </button>
        )}
      {state.measured !== null && (
        <p>
          Measured: {formatMs(state.measured.latencyMs)}; predicted is{' '}
          {(cost.latencyMs / state.measured.latencyMs).toFixed(2)} × that.
        </p>
      )}
      {state.carriedFlags.length > 0 && (
        <p class="soft">
          As the command was told: <code>{state.carriedFlags.join(' ')}</code>
        </p>
      )}
      {[...new Set([...over, ...warnings, ...plan.warnings])].map((text) => (
        <p key={text} class="warning">
          {text}
        </p>
      ))}
      {plan.accuracy.map(({ scheme, blocks, weightError }) => (
        <p key={scheme} class="soft">
          {scheme}: {blocks} blocks, their weights off by about {(100 * weightError).toPrecision(2)} % of their size
        </p>
      ))}
    </Card>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** Of a map that was given: what is chosen here fits. */
function overBudget({ devices }: PlanDocument): string[] {
  return devices.flatMap(({ id, freeBytes }) =>
    freeBytes === null || freeBytes >= 0 ? [] : [`${deviceName(id)} is ${formatSize(-freeBytes)} over its budget.`],
  );
}

/** What the search weighs is what the range of a prediction ends with: `src/planner/price/worst-case.ts`. */
const WEIGHED = 'doubtful speeds taken at their slowest';

function proof({ solver: { status, gap, objective } }: PlanDocument): string {
  const better = { latency: 'faster', throughput: 'of more answers a second', 'fewest-devices': 'of fewer cards' }[
    objective
  ];
  switch (status) {
    case 'optimal':
      return `Proven: within these budgets no placement is predicted to be ${better}, ${WEIGHED}.`;
    case 'stopped':
      return `Within these budgets no placement is predicted to be more than ${Math.max(0.01, 100 * gap).toFixed(2)} % better, ${WEIGHED}.`;
    case 'given':
      return 'This map was given, and not chosen here.';
  }
}

interface ErrorBarProps {
  readonly latencyMs: number;
  readonly rangeMs: { readonly least: number; readonly most: number };
  /** null where nothing was measured. */
  readonly measuredMs: number | null;
}

/** From what to what the prediction may be, beside the words that say so. */
function ErrorBar({ latencyMs, rangeMs: { least, most }, measuredMs }: ErrorBarProps) {
  const end = Math.max(most, measuredMs ?? 0);
  const place = (ms: number) => `${(100 * ms) / end}%`;
  return (
    <div class="error-bar" aria-hidden="true">
      <span class="whisker" style={{ left: place(least), width: place(most - least) }} />
      <span class="predicted" style={{ left: place(latencyMs) }} />
      {measuredMs !== null && <span class="measured" style={{ left: place(measuredMs) }} />}
    </div>
  );
}
