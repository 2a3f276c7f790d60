import { useEffect, useRef, useState } from 'preact/hooks';
import { formatMs } from '../../../src/planner/report/format-ms.js';
import { formatSize } from '../../../src/size.js';
import { cardCount, memoryOf } from '../settings/card-groups.js';
import type { Settings } from '../settings/settings.js';
import type { SweepState } from '../state/page-state.js';
import { Card } from './card.js';

interface SweepChartProps {
  readonly sweep: SweepState;
  readonly settings: Settings;
  /** Of every card, in bytes. */
  readonly onChoose: (memoryBytes: number) => void;
}

const HEIGHT = 190;
const LEFT = 58;
const RIGHT = 14;
const TOP = 22;
const BOTTOM = 26;

/** What more memory would buy: predicted time against the memory of each card, and the steps by name. */
export function SweepChart({ sweep, settings, onChoose }: SweepChartProps) {
  const [width, ref] = useWidth();
  const { range, points, isDone } = sweep;
  const fitting = points.flatMap((point) =>
    point.latencyMs === null ? [] : [{ ...point, latencyMs: point.latencyMs }],
  );
  const { ticks, y } = timeScale(fitting.map(({ latencyMs }) => latencyMs));
  const x = (bytes: number) =>
    LEFT + ((width - LEFT - RIGHT) * (bytes - range.fromBytes)) / (range.toBytes - range.fromBytes);
  const [first] = fitting;
  const line =
    first === undefined
      ? ''
      : `M${x(first.gpuBytes)} ${y(first.latencyMs)}${fitting
          .slice(1)
          .map((point) => `H${x(point.gpuBytes)}V${y(point.latencyMs)}`)
          .join('')}`;
  const today = Math.min(...settings.groups.map(memoryOf));
  const steps = fitting.filter(({ step }) => step !== null);
  const each = cardCount(settings.groups) > 1 ? 'each card' : 'the card';
  const choose = (event: MouseEvent) => {
    const box = ref.current?.getBoundingClientRect();
    if (box === undefined || points.length === 0) return;
    const at =
      range.fromBytes +
      ((event.clientX - box.left - LEFT) / (width - LEFT - RIGHT)) * (range.toBytes - range.fromBytes);
    const nearest = points.reduce((a, b) => (Math.abs(b.gpuBytes - at) < Math.abs(a.gpuBytes - at) ? b : a));
    onChoose(nearest.gpuBytes);
  };
  return (
    <Card title="What more memory would buy">
      {/* The buttons below and the slider do for keys what a click does here. */}
      <div class="chart" ref={ref} onClick={choose} style={{ height: `${HEIGHT}px` }}>
        <svg width={width} height={HEIGHT} role="img" aria-label={spoken(sweep, each)}>
          <path class="axis" d={`M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${width - RIGHT}`} />
          {ticks.map((ms) => (
            <g key={ms}>
              <path class="grid" d={`M${LEFT} ${y(ms)}H${width - RIGHT}`} />
              <text class="tick" x={LEFT - 6} y={y(ms) + 4} text-anchor="end">
                {tickText(ms)}
              </text>
            </g>
          ))}
          <text class="tick" x={LEFT} y={HEIGHT - 8}>
            {formatSize(range.fromBytes)}
          </text>
          <text class="tick" x={width - RIGHT} y={HEIGHT - 8} text-anchor="end">
            {formatSize(range.toBytes)}
            {cardCount(settings.groups) > 1 ? ' each' : ''}
          </text>
          <path class="curve" d={line} />
          {steps.map((point, i) => (
            <g key={point.gpuBytes}>
              <circle class="step" cx={x(point.gpuBytes)} cy={y(point.latencyMs)} r={9} />
              <text class="step-number" x={x(point.gpuBytes)} y={y(point.latencyMs) + 4} text-anchor="middle">
                {i + 1}
              </text>
            </g>
          ))}
          {today >= range.fromBytes && today <= range.toBytes && (
            <g>
              <path class="today" d={`M${x(today)} ${TOP - 6}V${HEIGHT - BOTTOM}`} />
              <text
                class="tick strong"
                x={Math.min(width - 30, Math.max(LEFT + 16, x(today)))}
                y={TOP - 9}
                text-anchor="middle"
              >
                now
              </text>
            </g>
          )}
        </svg>
      </div>
      <p class="soft progress">
        {isDone ? `${points.length} budgets planned.` : `Planning budget ${points.length + 1} of ${range.points}…`}
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

function spoken({ points }: SweepState, each: string): string {
  const said = points.map(
    ({ gpuBytes, latencyMs }) => `${formatSize(gpuBytes)} ${latencyMs === null ? 'does not fit' : formatMs(latencyMs)}`,
  );
  return `Predicted time against the memory of ${each}: ${said.join(', ')}`;
}

/** Logarithmic: a step that halves the time is as high wherever it is. */
function timeScale(times: readonly number[]): { ticks: readonly number[]; y: (ms: number) => number } {
  if (times.length === 0) return { ticks: [], y: () => TOP };
  const most = Math.max(...times);
  const least = Math.min(Math.min(...times) / 1.15, most / 2);
  const y = (ms: number) => TOP + ((HEIGHT - TOP - BOTTOM) * Math.log(most / ms)) / Math.log(most / least);
  const all = [1, 2, 5]
    .flatMap((digit) => [0, 1, 2, 3, 4, 5, 6].map((power) => digit * 10 ** power))
    .toSorted((a, b) => a - b);
  const within = all.filter((ms) => ms >= least && ms <= most);
  return { ticks: within.length > 5 ? within.filter((ms) => String(ms).startsWith('1')) : within, y };
}

function tickText(ms: number): string {
  return ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
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
