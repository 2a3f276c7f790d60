import type { PageState } from '../state/page-state.js';
import type { PageStore } from '../state/page-store.js';
import type { Fault } from '../worker/messages.js';
import { AutoBeside } from './auto-beside.js';
import { Card } from './card.js';
import { DoesNotFit } from './does-not-fit.js';
import { ExecutionOrder } from './execution-order.js';
import { MemoryBars } from './memory-bars.js';
import { PlanTables } from './plan-tables.js';
import { SweepChart } from './sweep-chart.js';
import { TakeAway } from './take-away.js';
import { Verdict } from './verdict.js';

export function Answer({ state, store }: { state: PageState; store: PageStore }) {
  const { model, fault, shown, sweep, settings } = state;
  if (model.status === 'failed') return <FaultCard title="The model cannot be read" fault={model.fault} />;
  if (fault !== null) return <FaultCard title="No plan" fault={fault} />;
  if (shown === null) {
    const what = model.status === 'opening' ? `Reading ${model.id}` : 'Planning';
    return (
      <Card title="The plan" isMain>
        <p class="waiting">{what}…</p>
      </Card>
    );
  }
  const chart = sweep !== null && sweep.range.points > 1 && (
    <SweepChart
      sweep={sweep}
      settings={settings}
      latencyMs={shown.answer.status === 'fits' ? shown.answer.plan.cost.latencyMs : null}
      onChoose={(memoryBytes) => store.change({ groups: settings.groups.map((group) => ({ ...group, memoryBytes })) })}
    />
  );
  const warnings = [...(model.status === 'open' ? model.model.warnings : []), ...shown.warnings];
  if (shown.answer.status === 'infeasible') {
    return (
      <>
        <DoesNotFit result={shown.answer} settings={shown.settings} onChange={(change) => store.change(change)} />
        {chart}
      </>
    );
  }
  const { plan } = shown.answer;
  return (
    <>
      <Verdict
        shown={shown}
        plan={plan}
        state={state}
        warnings={warnings}
        onChange={(change) => store.change(change)}
      />
      <MemoryBars plan={plan} settings={shown.settings} />
      <ExecutionOrder plan={plan} />
      {chart}
      {shown.settings.groups.length > 0 && <AutoBeside plan={plan} auto={shown.auto} />}
      <TakeAway plan={plan} settings={shown.settings} isFinal={shown.standing === 'final' && !state.isSearching} />
      <PlanTables plan={plan} />
    </>
  );
}

/** An error as text: code, what, and what to do next. */
function FaultCard({ title, fault }: { title: string; fault: Fault }) {
  return (
    <Card title={title} isMain>
      <div role="alert">
        <p>{fault.message}</p>
        {fault.hint !== null && <p>{fault.hint}</p>}
        <p class="soft">
          <code>{fault.code}</code>
        </p>
      </div>
    </Card>
  );
}
