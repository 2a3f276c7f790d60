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
        {auto === null ? <p class="soft">Pricing what transformers would do…</p> : <Beside plan={plan} auto={auto} />}
      </div>
    </Card>
  );
}

function Beside({ plan, auto }: { plan: PlanDocument; auto: AutoAnswer }) {
  const [mine, theirs] = [plan.cost.latencyMs, auto.plan.cost.latencyMs];
  const most = Math.max(mine, theirs);
  const isOver = auto.overBudget.length > 0;
  return (
    <>
      <table class="compare">
        <tbody>
          {(
            [
              ['this plan', mine, false],
              ['auto', theirs, isOver],
            ] as const
          ).map(([name, ms, over]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="grow">
                <span class={over ? 'length over' : 'length'} style={{ width: `${(100 * ms) / most}%` }} />
              </td>
              <td class="number">{over ? 'does not fit' : formatMs(ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>{reason(plan, auto)}</p>
    </>
  );
}

function reason(plan: PlanDocument, { plan: theirs, overBudget }: AutoAnswer): string {
  if (overBudget.length > 0) {
    const short = overBudget.map(({ device, bytes }) => `${deviceName(device)} by ${formatSize(bytes)}`).join(', ');
    return `auto would overfill ${short}: it counts weights alone, not caches, activations, float32 exceptions and what the engine takes.`;
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
