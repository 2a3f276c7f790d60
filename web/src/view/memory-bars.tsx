import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import { deviceName, pictureData, type BarSegment, type DeviceBar } from '../../../src/planner/report/picture-data.js';
import { formatSize } from '../../../src/size.js';
import { fillOf } from '../../../src/planner/report/svg/colours.js';
import { cardsOf } from '../settings/card-groups.js';
import type { Settings } from '../settings/settings.js';
import { Card } from './card.js';

/** With more devices than these, one legend is for all. */
const MOST_LEGENDS = 3;

interface MemoryBarsProps {
  readonly plan: PlanDocument;
  readonly settings: Settings;
}

/** A bar for each device; its parts add up to the budget. */
export function MemoryBars({ plan, settings }: MemoryBarsProps) {
  const { bars } = pictureData(plan);
  const widest = Math.max(...bars.map((bar) => Math.max(bar.budgetBytes ?? 0, bar.usedBytes)), 1);
  const cards = new Map(cardsOf(settings.groups).map(({ card }, id) => [deviceName(id), card]));
  const isShort = bars.length > MOST_LEGENDS;
  return (
    <Card title="Memory">
      {bars.map((bar) => (
        <Bar
          key={bar.name}
          bar={bar}
          card={cards.get(bar.name) ?? null}
          share={Math.max(bar.budgetBytes ?? 0, bar.usedBytes) / widest}
          isShort={isShort}
        />
      ))}
      {isShort && <Legend segments={summed(bars)} of="of all devices" />}
    </Card>
  );
}

interface BarProps {
  readonly bar: DeviceBar;
  /** Its name, where it has one. */
  readonly card: string | null;
  /** Of the widest bar. */
  readonly share: number;
  readonly isShort: boolean;
}

function Bar({ bar, card, share, isShort }: BarProps) {
  const total = Math.max(bar.budgetBytes ?? 0, bar.usedBytes, 1);
  const isOver = bar.budgetBytes !== null && bar.usedBytes > bar.budgetBytes;
  const budget = bar.budgetBytes === null ? ', no limit' : ` of ${formatSize(bar.budgetBytes)}`;
  return (
    <div class={isShort ? 'device short' : 'device'}>
      <h3>
        {bar.name} {card !== null && <span>{card}, </span>}
        <span class={isOver ? 'over-budget' : ''}>{formatSize(bar.usedBytes) + budget}</span>
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
      {!isShort && <Legend segments={bar.segments} />}
    </div>
  );
}

function Legend({ segments, of }: { segments: readonly BarSegment[]; of?: string }) {
  return (
    <ul class="legend" aria-label={of === undefined ? undefined : `Memory ${of}`}>
      {segments.map((segment) => (
        <li key={segment.label}>
          <span class={`swatch ${fillClass(segment.fill)}`} style={fillStyle(segment.fill)} />
          {segment.label} <b>{formatSize(segment.bytes)}</b>
        </li>
      ))}
      {of !== undefined && <li>{of}</li>}
    </ul>
  );
}

/** Of all devices, what each kind takes, in the order of a bar. */
function summed(bars: readonly DeviceBar[]): BarSegment[] {
  const sums = new Map<string, BarSegment>();
  for (const segment of bars.flatMap(({ segments }) => segments)) {
    const { bytes } = sums.get(segment.label) ?? { bytes: 0 };
    sums.set(segment.label, { ...segment, bytes: bytes + segment.bytes });
  }
  const place = ({ fill }: BarSegment) => (typeof fill === 'number' ? fill : fill === 'free' ? Infinity : 1e6);
  return [...sums.values()].toSorted((a, b) => place(a) - place(b) || 0);
}

function spoken(segments: readonly BarSegment[]): string {
  return segments.map(({ label, bytes }) => `${label} ${formatSize(bytes)}`).join(', ');
}

/** What is drawn by a pattern is a class; the rest has the colours of the product's other pictures. */
function fillClass(fill: BarSegment['fill']): string {
  return fill === 'reserve' || fill === 'free' ? `fill-${fill}` : '';
}

function fillStyle(fill: BarSegment['fill']): { background?: string } {
  return fill === 'reserve' || fill === 'free' ? {} : { background: fillOf(fill) };
}
