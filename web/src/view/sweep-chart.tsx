import { useEffect, useRef, useState } from 'preact/hooks';
import type { SweepPoint, SweepRange } from '../../../src/planner/plan/comparison/sweep.js';
import { formatMs } from '../../../src/planner/report/format-ms.js';
import { formatSize } from '../../../src/size.js';
import { cardCount, memoryOf } from '../settings/card-groups.js';
import type { Settings } from '../settings/settings.js';
import type { SweepState } from '../state/page-state.js';
import { Card } from './card.js';
import { sizeScale, timeScale, type Scale } from './chart-scales.js';

interface SweepChartProps {
  readonly sweep: SweepState;
  readonly settings: Settings;
  /** Of the plan that is shown; null where nothing fits. */
  readonly latencyMs: number | null;
  /** Of every card, in bytes. */
  readonly onChoose: (memoryBytes: number) => void;
}

type Fitting = SweepPoint & { readonly latencyMs: number };

const HEIGHT = 200;
const LEFT = 58;
const RIGHT = 18;
const TOP = 26;
const BOTTOM = 26;
const FLOOR = HEIGHT - BOTTOM;

/** What more memory would buy: predicted time against the memory of each card, and the steps by name. */
export function SweepChart({ sweep, settings, latencyMs, onChoose }: SweepChartProps) {
  const [width, ref] = useWidth();
  const { range, points, isDone } = sweep;
  const fitting = points.filter((point): point is Fitting => point.latencyMs !== null);
  // Every card has as much in a sweep; where they differ there is no point of it.
  const sizes = new Set(settings.groups.map(memoryOf));
  const today = sizes.size === 1 ? Math.min(...sizes) : null;
  const times = [...fitting.map((point) => point.latencyMs), ...(latencyMs === null ? [] : [latencyMs])];
  const y = timeScale(times, { from: TOP, to: FLOOR });
  const x = sizeScale(range.fromBytes, range.toBytes, { from: LEFT, to: width - RIGHT });
  const steps = fitting.filter(({ step }) => step !== null);
  const isMany = cardCount(settings.groups) > 1;
  const choose = (event: MouseEvent) => {
    const box = ref.current?.getBoundingClientRect();
    if (box === undefined || points.length === 0) return;
    const away = ({ gpuBytes }: SweepPoint) => Math.abs(x.at(gpuBytes) - (event.clientX - box.left));
    onChoose(points.reduce((a, b) => (away(b) < away(a) ? b : a)).gpuBytes);
  };
  return (
    <Card title="What more memory would buy">
      {/* The buttons below and the slider do for keys what a click does here. */}
      <div class="chart" ref={ref} onClick={choose} style={{ height: `${HEIGHT}px` }}>
        <svg width={width} height={HEIGHT} role="img" aria-label={spoken(sweep, isMany ? 'each card' : 'the card')}>
          <Axes x={x} y={y} width={width} isMany={isMany} />
          <TooLittle points={points} x={x} />
          <path class="curve" d={staircase(fitting, x, y)} />
          {today !== null && <Today bytes={today} latencyMs={latencyMs} range={range} x={x} y={y} />}
          {steps.map((point, i) => (
            <g key={point.gpuBytes} class={point.gpuBytes === today ? 'step today-step' : 'step'}>
              <circle cx={x.at(point.gpuBytes)} cy={y.at(point.latencyMs)} r={9} />
              <text x={x.at(point.gpuBytes)} y={y.at(point.latencyMs) + 4} text-anchor="middle">
                {i + 1}
              </text>
            </g>
          ))}
        </svg>
      </div>
      <p class="soft progress">
        {isDone ? `${points.length} budgets planned` : `Planning budget ${points.length + 1} of ${range.points}`}
        {isMany ? ', as much on every card' : ''}
        {isDone ? '.' : '…'}
      </p>
      <ol class="steps">
        {steps.map((point) => (
          <li key={point.gpuBytes}>
            <button type="button" class="link" onClick={() => onChoose(point.gpuBytes)}>
              {formatSize(point.gpuBytes)}
            </button>
            : {point.step}, {formatMs(point.latencyMs)}
          </li>
        ))}
      </ol>
    </Card>
  );
}

function Axes({ x, y, width, isMany }: { x: Scale; y: Scale; width: number; isMany: boolean }) {
  const last = x.ticks.length - 1;
  return (
    <g>
      <path class="axis" d={`M${LEFT} ${TOP}V${FLOOR}H${width - RIGHT}`} />
      {y.ticks.map((ms) => (
        <g key={ms}>
          <path class="grid" d={`M${LEFT} ${y.at(ms)}H${width - RIGHT}`} />
          <text class="tick" x={LEFT - 6} y={y.at(ms) + 4} text-anchor="end">
            {ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`}
          </text>
        </g>
      ))}
      {x.ticks.map((bytes, i) => (
        <text
          key={bytes}
          class="tick"
          x={x.at(bytes)}
          y={HEIGHT - 8}
          text-anchor={i === 0 ? 'start' : i === last ? 'end' : 'middle'}
        >
          {formatSize(bytes)}
          {isMany && i === last ? ' each' : ''}
        </text>
      ))}
    </g>
  );
}

/** Budgets in which nothing fits: the smallest ones. */
function TooLittle({ points, x }: { points: readonly SweepPoint[]; x: Scale }) {
  const end = points.find(({ latencyMs }) => latencyMs !== null) ?? points.at(-1);
  if (end === undefined || points[0]?.latencyMs !== null || x.at(end.gpuBytes) - LEFT < 1) return null;
  const right = x.at(end.gpuBytes);
  return (
    <g>
      <rect class="too-little" x={LEFT} y={TOP} width={right - LEFT} height={FLOOR - TOP} />
      {right - LEFT > 90 && (
        <text class="tick" x={(LEFT + right) / 2} y={(TOP + FLOOR) / 2} text-anchor="middle">
          does not fit
        </text>
      )}
    </g>
  );
}

interface TodayProps {
  readonly bytes: number;
  readonly latencyMs: number | null;
  readonly range: SweepRange;
  readonly x: Scale;
  readonly y: Scale;
}

/** What is set now, on the curve; at its end where that is further out. */
function Today({ bytes, latencyMs, range: { fromBytes, toBytes }, x, y }: TodayProps) {
  const place = x.at(Math.min(toBytes, Math.max(fromBytes, bytes)));
  const [words, anchor] =
    bytes > toBytes
      ? [`now, ${formatSize(bytes)} →`, 'end']
      : bytes < fromBytes
        ? [`← now, ${formatSize(bytes)}`, 'start']
        : ['now', 'middle'];
  return (
    <g>
      <path class="today" d={`M${place} ${TOP - 6}V${FLOOR}`} />
      {latencyMs !== null && <circle class="today-point" cx={place} cy={y.at(latencyMs)} r={5} />}
      <text class="tick strong" x={place} y={TOP - 11} text-anchor={anchor}>
        {words}
      </text>
    </g>
  );
}

function staircase([first, ...rest]: readonly Fitting[], x: Scale, y: Scale): string {
  if (first === undefined) return '';
  const stairs = rest.map(({ gpuBytes, latencyMs }) => `H${x.at(gpuBytes)}V${y.at(latencyMs)}`);
  return `M${x.at(first.gpuBytes)} ${y.at(first.latencyMs)}${stairs.join('')}`;
}

function spoken({ points }: SweepState, each: string): string {
  const said = points.map(
    ({ gpuBytes, latencyMs }) => `${formatSize(gpuBytes)} ${latencyMs === null ? 'does not fit' : formatMs(latencyMs)}`,
  );
  return `Predicted time against the memory of ${each}: ${said.join(', ')}`;
}

/** In CSS pixels, so that text keeps its size. */
function useWidth(): [number, { current: HTMLDivElement | null }] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [width, ref];
}
