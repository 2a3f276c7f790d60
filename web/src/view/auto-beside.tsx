import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import { deviceName } from '../../../src/planner/report/picture-data.js';
import { formatMs } from '../../../src/planner/report/format-ms.js';
import { formatSize } from '../../../src/size.js';
import type { AutoAnswer } from '../worker/messages.js';
import { Card } from './card.js';

/** What `device_map="auto"` would take with the same memory, and why. */
export function AutoBeside({ plan, auto }: { plan: PlanDocument; auto: AutoAnswer | null }) {
  return (
    <Card title='Beside device_map="auto"'>
      <div class="beside">
        {auto === null && <p class="soft">Pricing what transformers would do…</p>}
        {auto?.status === 'unknown' && <p class="soft">{auto.why}</p>}
        {auto?.status === 'priced' && <Beside plan={plan} auto={auto} />}
      </div>
    </Card>
  );
}

type Priced = Extract<AutoAnswer, { status: 'priced' }>;

function Beside({ plan, auto }: { plan: PlanDocument; auto: Priced }) {
  // What does not fit takes no time that could be compared.
  const theirs = auto.overBudget.length > 0 ? null : auto.plan.cost.latencyMs;
  const rows = [
    ['this plan', plan.cost.latencyMs],
    ['auto', theirs],
  ] as const;
  const most = Math.max(plan.cost.latencyMs, theirs ?? 0);
  return (
    <>
      <table class="compare">
        <tbody>
          {rows.map(([name, ms]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="grow">
                {ms === null ? (
                  <span class="over-budget">does not fit</span>
                ) : (
                  <span class="length" style={{ width: `${(100 * ms) / most}%` }} />
                )}
              </td>
              <td class="number">{ms === null ? '' : formatMs(ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>{reason(plan, auto)}</p>
    </>
  );
}

/** Of the devices that auto overfills. */
const MOST_NAMED = 2;

function reason(plan: PlanDocument, { plan: theirs, overBudget }: Priced): string {
  if (overBudget.length > 0) {
    const worst = overBudget.toSorted((a, b) => b.bytes - a.bytes).slice(0, MOST_NAMED);
    const named = worst.map(({ device, bytes }) => `${deviceName(device)} by ${formatSize(bytes)}`).join(', ');
    const others = overBudget.length - worst.length;
    return `auto would overfill ${named}${others > 0 ? ` and ${others} more by less` : ''}: it counts weights alone, not caches, activations, float32 exceptions and what the engine takes.`;
  }
  const ratio = theirs.cost.latencyMs / plan.cost.latencyMs;
  if (ratio < 1.005) return 'auto would be as fast here.';
  const more = theirs.cost.streamedBytesPerCall - plan.cost.streamedBytesPerCall;
  const off = tokenBlocksOff(theirs) - tokenBlocksOff(plan);
  const why = [
    ...(more > 0 ? [`it streams ${formatSize(more)} more a call`] : []),
    ...(off > 0
      ? [
          `it leaves ${off} more of the blocks that run for every token off the cards, because it fills devices in the order of the modules`,
        ]
      : []),
    ...(theirs.crossings.length > plan.crossings.length
      ? [`it crosses between devices ${theirs.crossings.length - plan.crossings.length} times more`]
      : []),
  ];
  const because = why.length === 0 ? '' : `: ${why.join(', and ')}`;
  return `auto would take ${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0)} × as long${because}.`;
}

function tokenBlocksOff({ placements }: PlanDocument): number {
  return placements.filter(({ phase, execution }) => phase === 'token' && execution !== 'resident').length;
}
