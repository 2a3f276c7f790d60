import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import { pictureData, type BarSegment, type DeviceBar } from '../../../src/planner/report/picture-data.js';
import { formatSize } from '../../../src/size.js';
import { Card } from './card.js';
import { fillClass, fillStyle } from './fills.js';

/** A bar for each device; its parts add up to the budget. */
export function MemoryBars({ plan }: { plan: PlanDocument }) {
  const { bars } = pictureData(plan);
  const widest = Math.max(...bars.map((bar) => Math.max(bar.budgetBytes ?? 0, bar.usedBytes)), 1);
  return (
    <Card title="Memory">
      {bars.map((bar) => (
        <Bar key={bar.name} bar={bar} share={Math.max(bar.budgetBytes ?? 0, bar.usedBytes) / widest} />
      ))}
    </Card>
  );
}

function Bar({ bar, share }: { bar: DeviceBar; share: number }) {
  const total = Math.max(bar.budgetBytes ?? 0, bar.usedBytes, 1);
  const isOver = bar.budgetBytes !== null && bar.usedBytes > bar.budgetBytes;
  const budget = bar.budgetBytes === null ? ', no limit' : ` of ${formatSize(bar.budgetBytes)}`;
  return (
    <div class="device">
      <h3>
        {bar.name} <span class={isOver ? 'over-budget' : ''}>{formatSize(bar.usedBytes) + budget}</span>
      </h3>
      <div
        class="bar"
        style={{ width: `${100 * share}%` }}
        role="img"
        aria-label={`${bar.name}: ${spoken(bar.segments)}`}
      >
        {bar.segments.map((segment) => (
          <span
            key={segment.label}
            class={fillClass(segment.fill)}
            style={{ ...fillStyle(segment.fill), width: `${(100 * segment.bytes) / total}%` }}
            title={`${segment.label} ${formatSize(segment.bytes)}`}
          />
        ))}
      </div>
      <ul class="legend">
        {bar.segments.map((segment) => (
          <li key={segment.label}>
            <span class={`swatch ${fillClass(segment.fill)}`} style={fillStyle(segment.fill)} />
            {segment.label} <b>{formatSize(segment.bytes)}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

function spoken(segments: readonly BarSegment[]): string {
  return segments.map(({ label, bytes }) => `${label} ${formatSize(bytes)}`).join(', ');
}
