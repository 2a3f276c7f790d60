import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import { deviceName, pictureData, type PictureData, type StripCell } from '../../../src/planner/report/picture-data.js';
import { formatMs } from '../../../src/planner/report/format-ms.js';
import { placementTip } from '../../../src/planner/report/placement-tip.js';
import { partColour } from '../../../src/planner/report/svg/colours.js';
import { Card } from './card.js';

const LANE = 26;
const GAP = 6;
const PHASES = { image: 'once a picture', prompt: 'once a prompt', token: 'every token' } as const;

/** Every block in the order it runs, a lane for each device, and the crossings between them. */
export function ExecutionOrder({ plan }: { plan: PlanDocument }) {
  const data = withEveryLane(pictureData(plan), plan);
  const runs = runsOf(data);
  return (
    <Card title="In the order it runs">
      <div class="strip">
        <ul class="lanes" aria-hidden="true">
          {data.lanes.map((name) => (
            <li key={name} style={{ height: `${LANE}px`, marginBottom: `${GAP}px` }}>
              {name}
            </li>
          ))}
        </ul>
        <div class="lane-area">
          <Phases data={data} />
          <Lanes data={data} label={runs.map(({ text }) => text).join('; ')} />
        </div>
      </div>
      <p class="soft summary">{summary(plan, data)}</p>
      {/* Of an unknown length: open by itself it would move what is below with every step of a slider. */}
      <details>
        <summary>In words</summary>
        <ol class="runs">
          {runs.map(({ key, text, part }) => (
            <li key={key}>
              <span class="swatch" style={{ background: partColour(part) }} />
              {text}
            </li>
          ))}
        </ol>
      </details>
    </Card>
  );
}

/** One for each device that there is: a step of a slider moves blocks from lane to lane, and not what is below. */
function withEveryLane(data: PictureData, { devices }: PlanDocument): PictureData {
  const names = devices
    .filter(({ id, budgetBytes }) => id === 'cpu' || (typeof id === 'number' && budgetBytes !== 0))
    .map(({ id }) => deviceName(id));
  const lanes = [...names, ...data.lanes.filter((name) => !names.includes(name))];
  return {
    ...data,
    lanes,
    cells: data.cells.map((cell) => ({ ...cell, lane: lanes.indexOf(deviceName(cell.placement.runsOn)) })),
  };
}

function Phases({ data: { cells } }: { data: PictureData }) {
  const spans: { phase: keyof typeof PHASES; count: number }[] = [];
  for (const { placement } of cells) {
    const last = spans.at(-1);
    if (last?.phase === placement.phase) last.count += 1;
    else spans.push({ phase: placement.phase, count: 1 });
  }
  return (
    <div class="phases" aria-hidden="true">
      {spans.map(({ phase, count }, i) => (
        <span key={i} style={{ width: `${(100 * count) / cells.length}%` }} title={PHASES[phase]}>
          {count > 0.08 * cells.length && PHASES[phase]}
        </span>
      ))}
    </div>
  );
}

function Lanes({ data: { cells, lanes }, label }: { data: PictureData; label: string }) {
  const height = lanes.length * (LANE + GAP) - GAP;
  return (
    <svg
      viewBox={`0 0 ${cells.length} ${height}`}
      height={height}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <defs>
        <pattern
          id="streamed"
          width="4"
          height="4"
          patternUnits="userSpaceOnUse"
          patternTransform={`scale(${cells.length / 700} 1) rotate(45)`}
        >
          <rect width="1.6" height="4" fill="#fff" opacity=".8" />
        </pattern>
      </defs>
      {lanes.map((name, lane) => (
        <rect key={name} class="lane" x={0} y={lane * (LANE + GAP)} width={cells.length} height={LANE} />
      ))}
      {cells.map((cell, i) => (
        <Cell key={cell.placement.block} cell={cell} x={i} />
      ))}
      {cells.map((cell, i) => {
        const before = cells[i - 1];
        if (before === undefined || before.lane === cell.lane) return null;
        const from = Math.min(before.lane, cell.lane) * (LANE + GAP);
        const to = Math.max(before.lane, cell.lane) * (LANE + GAP) + LANE;
        return <path key={i} class="crossing" d={`M${i} ${from}V${to}`} />;
      })}
    </svg>
  );
}

function Cell({ cell, x }: { cell: StripCell; x: number }) {
  const { execution } = cell.placement;
  const y = cell.lane * (LANE + GAP);
  return (
    <g>
      <title>{placementTip(cell.placement, cell.scheme)}</title>
      <rect x={x} y={y} width={0.94} height={LANE} fill={partColour(cell.part)} />
      {execution === 'streamed' && <rect x={x} y={y} width={0.94} height={LANE} fill="url(#streamed)" />}
      {cell.scheme !== null && <rect class="quantised" x={x} y={y + LANE - 5} width={0.94} height={5} />}
    </g>
  );
}

function summary(plan: PlanDocument, { cells }: PictureData): string {
  const streamed = cells.filter(({ placement }) => placement.execution === 'streamed').length;
  const crossings = plan.crossings.length;
  const quantised = cells.filter(({ scheme }) => scheme !== null).length;
  return [
    `${cells.length} blocks`,
    streamed === 0 ? 'none streamed' : `${streamed} streamed (hatched): they pass through the card each time`,
    ...(quantised === 0 ? [] : [`${quantised} quantised (underlined)`]),
    crossings === 0
      ? 'no crossings between devices'
      : `${crossings} ${crossings === 1 ? 'crossing' : 'crossings'} between devices, ${formatMs(plan.cost.crossingMs)} a call`,
  ].join('; ');
}

interface Run {
  readonly key: string;
  readonly text: string;
  readonly part: number;
}

/** Consecutive blocks of a part at one place, in words. */
function runsOf({ cells, parts }: PictureData): Run[] {
  const runs: { part: number; place: string; count: number }[] = [];
  for (const { placement, part, scheme } of cells) {
    const notes = [...(placement.execution === 'streamed' ? ['streamed'] : []), ...(scheme === null ? [] : [scheme])];
    const place = [deviceName(placement.runsOn), ...notes].join(', ');
    const last = runs.at(-1);
    if (last?.part === part && last.place === place) last.count += 1;
    else runs.push({ part, place, count: 1 });
  }
  return runs.map(({ part, place, count }, i) => ({
    key: `${i} ${place}`,
    text: `${parts[part]?.name ?? ''}${count > 1 ? ` × ${count}` : ''} on ${place}`,
    part,
  }));
}
