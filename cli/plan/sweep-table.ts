import { formatSize, parseSize, type SweepPoint, type SweepRange } from '../../src/planner/index.js';
import { formatMs } from '../../src/planner/report/format-ms.js';
import { usageError } from '../common/main.js';
import type { PlanFormat } from './format-plan.js';

const MOST_POINTS = 33;

/** `2G..16G`: GiB by GiB, in larger steps where that would be many. */
export function readSweep(text: string): SweepRange {
  const [from, to, ...rest] = text.split('..');
  if (from === undefined || to === undefined || rest.length > 0) {
    throw usageError(`--sweep ${text} is not a range of sizes`, 'For example: --sweep 2G..16G');
  }
  if ([from, to].every((size) => /^\d+(\.\d+)?$/.test(size) && Number(size) < 1024)) {
    throw usageError(`--sweep ${text} has no units`, `Did you mean ${from}G..${to}G?`);
  }
  const fromBytes = parseSize(from);
  const toBytes = parseSize(to);
  if (toBytes < fromBytes) throw usageError(`--sweep ${text} ends before it begins`, `Did you mean ${to}..${from}?`);
  if (toBytes === fromBytes)
    throw usageError(`--sweep ${text} is one size and no range`, `What it buys says blip2-plan --vram ${from}.`);
  const steps = Math.max(8, Math.min(MOST_POINTS - 1, Math.round((toBytes - fromBytes) / 2 ** 30)));
  return { fromBytes, toBytes, points: steps + 1 };
}

export function sweepTable(points: readonly SweepPoint[]): string {
  const rows = points.map((point) =>
    point.latencyMs === null
      ? `${formatSize(point.gpuBytes).padStart(10)}  does not fit`
      : `${formatSize(point.gpuBytes).padStart(10)}  ${formatMs(point.latencyMs).padStart(9)}  ` +
        `${formatSize(point.streamedBytesPerCall ?? 0).padStart(10)}  ${point.step ?? ''}`.trimEnd(),
  );
  return [`${'per GPU'.padStart(10)}  ${'predicted'.padStart(9)}  ${'streamed'.padStart(10)}`, ...rows].join('\n');
}

/** A sweep that no plan goes with. */
export function formatSweep(points: readonly SweepPoint[], format: PlanFormat | undefined): string {
  switch (format) {
    case undefined:
    case 'table':
      return `${sweepTable(points)}\n`;
    case 'json':
      return `${JSON.stringify(points, null, 2)}\n`;
    default:
      throw usageError(
        `a sweep by itself is a table or JSON; ${format} needs a plan`,
        'Add --vram for the plan that the sweep is shown with.',
      );
  }
}
